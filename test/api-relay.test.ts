import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ApiRelay, type Driven } from "./api-relay.ts";
import { ApiDescription, descriptionPath } from "./openapi.ts";

const description = await ApiDescription.load();

class Relayed implements AsyncDisposable {
  readonly driven: Driven = new Map();
  readonly #folder: string = mkdtempSync(join(tmpdir(), "berth-test-relay-"));
  readonly #server: Server;
  #relay: ApiRelay | undefined;

  get relay(): ApiRelay {
    assert.ok(this.#relay);
    return this.#relay;
  }

  private constructor(answer: RequestListener) {
    this.#server = createServer(answer);
    // As the daemon does: what follows the request is echoed.
    this.#server.on("upgrade", (_request, socket, early) => {
      socket.write(
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
      );
      socket.write(early);
      socket.pipe(socket);
    });
  }

  static async open(answer: RequestListener): Promise<Relayed> {
    assert.ok(description);
    const relayed = new Relayed(answer);
    await new Promise<void>((done) => relayed.#server.listen(join(relayed.#folder, "d"), done));
    relayed.#relay = await ApiRelay.listen(join(relayed.#folder, "r"), join(relayed.#folder, "d"), description, relayed.driven);
    return relayed;
  }

  /** Sends bytes, ends, and gives all that comes back. */
  async send(...parts: string[]): Promise<string> {
    const socket: Socket = connect(join(this.#folder, "r"));
    for (const part of parts) {
      socket.write(part);
      await new Promise((done) => setTimeout(done, 5));
    }
    socket.end();
    const chunks: Buffer[] = await Array.fromAsync(socket as AsyncIterable<Buffer>);
    return Buffer.concat(chunks).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.relay.close();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.#folder, { recursive: true });
  }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`;

describe("the relay", { skip: description === undefined ? `there is no ${descriptionPath}` : false }, () => {
  test("passes answers on and says what is wrong with them", async () => {
    await using relayed = await Relayed.open((request, response) => {
      response.setHeader("Content-Type", "application/json");
      const body = request.url?.includes("images") === true ? '[{"Nonsense":1}]' : '{"Id":5}';
      // In chunks of three bytes, or whole with its length.
      if (request.url?.startsWith("/v1.51") === true) for (let at = 0; at < body.length; at += 3) response.write(body.slice(at, at + 3));
      else response.setHeader("Content-Length", body.length).write(body);
      response.end();
    });
    const text = await relayed.send(get("/v1.51/images/json?all=1"), get("/containers/a/json?size=1"), get("/v1.30/images/json"));
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
    assert.match(relayed.relay.violations.join("\n"), /GET \/images\/json\/0: must NOT have unevaluated properties .*Nonsense/);
    assert.match(relayed.relay.violations.join("\n"), /GET \/containers\/a\/json\/Id: must be string/);
    assert.deepEqual(
      [...relayed.driven].map(([endpoint, names]) => [endpoint, ...names]),
      [
        ["GET /images/json", "all"],
        ["GET /containers/{id}/json", "size"],
      ],
    );
  });

  test("reads streams line by line, before they end", async () => {
    await using relayed = await Relayed.open((_request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.write('{"Type":"container","Action":"start"}\n{"Type":"contai');
      setTimeout(() => response.write('ner","Nonsense":1}\n'), 5);
    });
    const stream = connect(relayed.relay.path);
    stream.write(get("/events"));
    for (let tries = 0; tries < 200 && relayed.relay.violations.length === 0; tries++) await new Promise((done) => setTimeout(done, 10));
    stream.destroy();
    assert.match(relayed.relay.violations.join("\n"), /GET \/events: must NOT have unevaluated properties/);
  });

  test("leaves an upgraded connection alone, each direction to its end", async () => {
    await using relayed = await Relayed.open(() => assert.fail("it is an upgrade"));
    const head = "POST /v1.51/containers/a/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    const text = await relayed.send(head, "GET /nonsense HTTP/1.1\r\n\r\n", "x".repeat(200_000));
    assert.ok(text.endsWith(`GET /nonsense HTTP/1.1\r\n\r\n${"x".repeat(200_000)}`));
    assert.deepEqual(relayed.relay.violations, []);
    assert.deepEqual([...relayed.driven.keys()], ["POST /containers/{id}/attach"]);
  });

  test("statuses and endpoints that are not described are told", async () => {
    await using relayed = await Relayed.open((request, response) => {
      const refused = request.url === "/containers/a/json";
      response.writeHead(refused ? 409 : 418, { "Content-Type": "application/json" });
      response.end(refused ? '{"message":"no"}' : "{}");
    });
    await relayed.send(get("/containers/a/json"), get("/info"), get("/nonsense"));
    assert.deepEqual(relayed.relay.violations, ["GET /info does not answer 418", "GET /nonsense is not described"]);
  });
});
