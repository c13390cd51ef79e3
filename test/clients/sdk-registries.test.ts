/** Programs that pull and push through dockerode and python3-docker, with credentials, and read the streams. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import Docker from "dockerode";
import { digestOf } from "../../src/base/base.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { command, Daemon, projectRoot } from "../daemon.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth
const pythonMissing = (await command("/usr/bin/python3", ["-c", "import docker"])).status === 0 ? false : "python3-docker is not installed";

interface Message {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number };
  readonly errorDetail?: { readonly message: string };
}

let daemon: Daemon;
let folder: string;
let registry: ScratchRegistry;
let host: string;
before(async () => {
  daemon = await Daemon.start();
  folder = mkdtempSync("/var/tmp/berth-test-sdk-");
  writeFileSync(join(folder, "users"), `sailor:${password}\n`);
  registry = await ScratchRegistry.open({ access: { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } });
  host = `127.0.0.1:${registry.port}`;
  const shelf = new Shelf();
  shelf.image([tarOf({ a: "a" }), tarOf({ b: "b" })], { os: "linux", architecture: "amd64" }, "one");
  await shelf.pushTo(`http://${host}`, { authorization: `Basic ${Buffer.from("sailor:berth").toString("base64")}` });
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  await daemon.close();
});

test("python3-docker", { skip: pythonMissing }, async () => {
  const program = join(projectRoot, "test/clients/sdk-registries.py");
  const env = { DOCKER_HOST: daemon.host, DOCKER_CONFIG: folder };
  const result = await command("/usr/bin/python3", [program, host], { env });
  assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
  assert.deepEqual(result.stdout.trimEnd().split("\n"), ["login", "pull", "push", "errors"]);
  await daemon.ok("rmi", "-f", await daemon.ok("images", "-q", `${host}/x/y`));
});

describe("dockerode", () => {
  let docker: Docker;
  before(() => {
    docker = new Docker({ socketPath: daemon.host.slice("unix://".length) });
  });
  const sailor = { username: "sailor", password: "berth", serveraddress: "" };

  /** All messages, and whether the stream broke off. */
  function followed(
    stream: NodeJS.ReadableStream,
    onMessage: (message: Message) => void = () => undefined,
  ): Promise<{ messages: Message[]; error: Error | null }> {
    return new Promise((resolve) =>
      docker.modem.followProgress(stream, (error, messages) => resolve({ messages: messages ?? [], error }), onMessage),
    );
  }

  test("checkAuth, pull and push with authconfig, and what their streams say", async () => {
    assert.equal((await docker.checkAuth({ ...sailor, serveraddress: host })).Status, "Login Succeeded");
    const pulled = await followed(await docker.pull(`${host}/x/y:one`, { authconfig: sailor }));
    assert.equal(pulled.error, null);
    assert.deepEqual(pulled.messages[0], { status: "Pulling from x/y", id: "one" });
    assert.match(pulled.messages.at(-2)?.status ?? "", /^Digest: sha256:[0-9a-f]{64}$/);
    assert.deepEqual(pulled.messages.at(-1), { status: `Status: Downloaded newer image for ${host}/x/y:one` });
    const layers = Map.groupBy(
      pulled.messages.filter(({ progressDetail }) => progressDetail !== undefined),
      ({ id }) => id,
    );
    assert.equal(layers.size, 2);
    for (const said of layers.values()) {
      assert.equal(said[0]?.status, "Pulling fs layer");
      assert.equal(said.at(-1)?.status, "Pull complete");
      const counts = said.flatMap(({ status, progressDetail }) => (status === "Downloading" ? [progressDetail?.current ?? 0] : []));
      assert.deepEqual(
        counts,
        counts.toSorted((a, b) => a - b),
      );
    }
    await docker.getImage(`${host}/x/y:one`).tag({ repo: `${host}/from/dockerode`, tag: "1" });
    const pushed = await followed(await docker.getImage(`${host}/from/dockerode`).push({ tag: "1", authconfig: sailor }));
    assert.equal(pushed.error, null);
    const { aux } = pushed.messages.at(-1) ?? {};
    assert.equal(pushed.messages.at(-2)?.status, `1: digest: ${aux?.Digest} size: ${aux?.Size}`);
    assert.equal(aux?.Tag, "1");
    assert.equal(pulled.messages.at(-2)?.status, `Digest: ${aux?.Digest}`);
  });

  test("layers beyond the limits of transfers wait, and that is told", async () => {
    const shelf = new Shelf();
    shelf.layering = "plain";
    const tars = Array.from({ length: 7 }, (_, at) => tarOf({ [`layer-${at}`]: String(at) }));
    shelf.image(tars, { os: "linux", architecture: "amd64" }, "many");
    const digests = tars.map(digestOf);
    // Nothing of a layer goes either way before enough of them have said that they wait.
    let waiting = Promise.withResolvers<void>();
    const said = new Set<string>();
    const listen = (enough: number) => {
      waiting = Promise.withResolvers<void>();
      said.clear();
      return ({ status, id = "" }: Message): void => {
        if (status !== "Waiting" || said.add(id).size < enough) return;
        waiting.resolve();
      };
    };
    await using slow = await shelf.serve((path, request, response) => {
      const isUpload = path.includes("/uploads/");
      if (request.method === "HEAD" && !isUpload) {
        response.writeHead(404).end();
        return true;
      }
      if (request.method === "POST") {
        response.writeHead(202, { location: `/v2/x/y/blobs/uploads/${randomUUID()}` }).end();
        return true;
      }
      if (request.method === "PUT") {
        const isLayer = digests.some((digest) => path.endsWith(`digest=${digest}`));
        void (isLayer ? waiting.promise : Promise.resolve()).then(() => {
          request.resume().on("end", () => response.writeHead(201, { location: "/" }).end());
        });
        return true;
      }
      const held = digests.find((digest) => path.endsWith(digest));
      if (held !== undefined) void waiting.promise.then(() => response.end(shelf.blobs.get(held)));
      return held !== undefined;
    });
    const name = `${slow.host}/x/y`;
    const pulled = await followed(await docker.pull(`${name}:many`), listen(4));
    assert.equal(pulled.messages.at(-1)?.status, `Status: Downloaded newer image for ${name}:many`);
    assert.deepEqual([...said].length, 4, "three at a time");
    const pushed = await followed(await docker.getImage(name).push({ tag: "many", authconfig: sailor }), listen(2));
    assert.equal(pushed.messages.at(-1)?.aux?.Tag, "many");
    assert.ok([2, 3].includes(said.size), "five at a time, of which the configuration may be one");
    await docker.getImage(`${name}:many`).remove();
  });

  test("refusals: before the stream as a status, within it as errorDetail", async () => {
    await assert.rejects(docker.pull(`${host}/x/y:one`), {
      statusCode: 500,
      message: `(HTTP code 500) server error - Head "http://${host}/v2/x/y/manifests/one": no basic auth credentials `,
    });
    await assert.rejects(docker.pull(`${host}/x/y:nope`, { authconfig: sailor }), { statusCode: 404 });
    const { messages } = await followed(await docker.getImage(`${host}/from/dockerode`).push({ tag: "1" }));
    assert.deepEqual(messages.at(-1)?.errorDetail, { message: "no basic auth credentials" });
  });
});
