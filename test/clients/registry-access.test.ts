/** How registries are reached and asked: credentials, certificates, hosts.toml, proxies, and uploads that are cut off. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { certificates } from "../../src/distribution/rough-registry.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { command, Daemon, eventually, type Result } from "../daemon.ts";
import { debianRegistry, debianRegistryMissing } from "../debian-registry.ts";
import { type FrontOptions, type FrontRequest, RegistryFront } from "../registry-front.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth
const basic = `Basic ${Buffer.from("sailor:berth").toString("base64")}`;
/** The loopback is not held to certificates. */
const address = "10.98.0.1";
const otherAddress = "10.98.0.2";
const certsFolder = "/etc/docker/certs.d";

let daemon: Daemon;
let registry: ScratchRegistry;
let folder: string;
/** Bytes of the image's layer. */
const layerBytes = 6 << 20;

async function host(...words: string[]): Promise<void> {
  const [file = "", ...args] = words;
  const { status, stderr } = await command(file, args);
  assert.equal(status, 0, stderr);
}

before(async () => {
  folder = mkdtempSync("/var/tmp/berth-test-access-");
  // In namespaces of this test's own (tools/isolate.mjs): neither stays.
  mkdirSync("/etc/docker", { recursive: true });
  await host("mount", "-t", "tmpfs", "tmpfs", "/etc/docker");
  for (const own of [address, otherAddress]) await host("ip", "addr", "add", `${own}/32`, "dev", "lo");
  writeFileSync(join(folder, "daemon.json"), "{}");
  registry = await ScratchRegistry.open();
  daemon = await Daemon.start(["--config-file", join(folder, "daemon.json")]);
  await importBox();
});
after(async () => {
  await daemon.close();
  await registry[Symbol.asyncDispose]();
  for (const own of [address, otherAddress]) await host("ip", "addr", "del", `${own}/32`, "dev", "lo");
  await host("umount", "/etc/docker");
  rmSync(folder, { recursive: true });
});

/** Another image, whose layer nobody has seen. */
async function importBox(): Promise<void> {
  const imported = await daemon.docker(["import", "-", "box"], { input: tarOf({ noise: randomBytes(layerBytes) }) });
  assert.equal(imported.status, 0, imported.stderr);
}

const front = (options: FrontOptions = {}): Promise<RegistryFront> => RegistryFront.open(`127.0.0.1:${registry.port}`, options);

/** Pushes the image under a name, which it has for so long. */
async function push(name: string, env: Record<string, string> = {}): Promise<Result> {
  await daemon.ok("tag", "box", name);
  const pushed = await daemon.docker(["push", name], { env });
  await daemon.ok("rmi", name);
  return pushed;
}

async function pushed(name: string, env: Record<string, string> = {}): Promise<string> {
  const { status, stdout, stderr } = await push(name, env);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function refused(name: string): Promise<string> {
  const { status, stderr } = await push(name);
  assert.equal(status, 1);
  return stderr.trim();
}

async function configure(settings: object, isThere: string): Promise<void> {
  writeFileSync(join(folder, "daemon.json"), JSON.stringify(settings));
  process.kill(daemon.pid, "SIGHUP");
  await eventually("the reload", async () => ((await daemon.ok("info", "-f", "{{json .}}")).includes(isThere) ? true : undefined));
}

describe("what is sent", { timeout: 60_000 }, () => {
  test("nothing of what is there; of what can be mounted, no more than the configuration", async () => {
    await using way = await front();
    const config = (await daemon.ok("image", "inspect", "-f", "{{.Id}}", "box")).slice("sha256:".length);
    const configBytes = readFileSync(join(daemon.dataRoot, "content/sha256", config)).length;
    await pushed(`${way.host}/sent:1`);
    assert.ok(way.blobBytes("sent") > layerBytes);
    assert.match(await pushed(`${way.host}/other:1`), /: Mounted from sent\n/);
    assert.equal(way.blobBytes("other"), configBytes);
    way.seen.length = 0;
    assert.match(await pushed(`${way.host}/sent:2`), /: Layer already exists\n/);
    assert.deepEqual(
      way.seen.map(({ method }) => method),
      ["HEAD", "HEAD", "PUT"],
    );
  });

  /** Pushes through a front that cuts the layer's upload. @returns the request that was cut, and one that went on with it */
  async function cutOff(behind: string, path: string): Promise<{ cut: FrontRequest | undefined; rest: FrontRequest | undefined }> {
    let isCut = false;
    await using way = await RegistryFront.open(behind, {
      cuts: ({ bytes }) => {
        if (isCut || bytes < 3_000_000) return false;
        isCut = true;
        return true;
      },
    });
    await pushed(`${way.host}/${path}:1`);
    const cut = way.seen.find(({ bytes }) => bytes >= 3_000_000);
    return { cut, rest: way.seen.find(({ headers }) => headers["content-range"] !== undefined) };
  }

  test("an upload that is reset in its middle goes on where it was", async () => {
    await importBox();
    // Sent while it is compressed, then as the file that it is.
    for (const method of ["PATCH", "PUT"]) {
      const { cut, rest } = await cutOff(`127.0.0.1:${registry.port}`, `reset/${method.toLowerCase()}`);
      assert.equal(cut?.method, method);
      const from = Number(/^(\d+)-/.exec(String(rest?.headers["content-range"]))?.[1]);
      assert.ok(from > 0 && from <= cut.bytes, `${rest?.headers["content-range"]} of ${cut.bytes}`);
      assert.ok((rest?.bytes ?? 0) + from > layerBytes);
    }
  });

  test("Docker's registry, of Debian, gives such an upload up: it is sent anew", { skip: debianRegistryMissing }, async () => {
    await importBox();
    await using behind = await debianRegistry();
    const { cut } = await cutOff(behind.host, "reset");
    assert.equal(cut?.method, "PATCH");
  });
});

describe("credentials", { timeout: 60_000 }, () => {
  test("of docker login, kept by a credential helper, which is asked again for each push and pull", async () => {
    const kept = join(folder, "kept.json");
    const helper = `#!/bin/sh
echo "$1" >>${folder}/asked
case $1 in
store) cat >${kept} ;;
get) cat ${kept} 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f ${kept} ;;
list) echo "{}" ;;
esac
`;
    writeFileSync(join(folder, "docker-credential-chest"), helper);
    chmodSync(join(folder, "docker-credential-chest"), 0o755);
    writeFileSync(join(folder, "users"), `sailor:${password}\n`);
    await using closed = await ScratchRegistry.open({ access: { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } });
    const name = `127.0.0.1:${closed.port}/private:1`;
    const config = join(folder, "docker");
    mkdirSync(config);
    writeFileSync(join(config, "config.json"), JSON.stringify({ credsStore: "chest" }));
    const env = { DOCKER_CONFIG: config, PATH: `${folder}:${process.env["PATH"]}` };
    assert.match(await refused(name), /no basic auth credentials|unauthorized/);
    const login = await daemon.docker(["login", "-u", "sailor", "--password-stdin", `127.0.0.1:${closed.port}`], { env, input: "berth" });
    assert.equal(login.status, 0, login.stderr);
    assert.doesNotMatch(readFileSync(join(config, "config.json"), "utf8"), new RegExp(basic.slice(6)));
    await pushed(name, env);
    const pull = await daemon.docker(["pull", "-q", name], { env });
    assert.equal(pull.status, 0, pull.stderr);
    await daemon.ok("rmi", name);
    const asked = readFileSync(join(folder, "asked"), "utf8").split("\n");
    assert.ok(asked.includes("store") && asked.filter((verb) => verb === "get").length >= 2, asked.join());
    const logout = await daemon.docker(["logout", `127.0.0.1:${closed.port}`], { env });
    assert.equal(logout.status, 0, logout.stderr);
    const anonymous = await daemon.docker(["pull", "-q", name], { env });
    assert.equal(anonymous.status, 1);
  });

  test("a token that expires in the middle of a push is renewed, and what it was refused for sent again", async () => {
    await importBox();
    const issued: string[] = [];
    let valid = "";
    const bearer = (request: IncomingMessage): string => (request.headers.authorization ?? "").replace("Bearer ", "");
    await using way = await front({
      instead: (request, response) => {
        if (request.url?.startsWith("/token?") === true) {
          if (request.headers.authorization !== basic) return Boolean(response.writeHead(401).end("{}"));
          if (valid === "") issued.push(`token-${issued.length}`);
          valid = issued.at(-1) ?? "";
          return Boolean(response.end(JSON.stringify({ token: valid, expires_in: 300 })));
        }
        // The layer's upload has begun: nothing after that is done with this token.
        if (request.method === "PATCH" && issued.length === 1) valid = "";
        if (valid === "" || bearer(request) !== valid) {
          const challenge = `Bearer realm="http://${way.host}/token",service="harbour"`;
          return Boolean(response.writeHead(401, { "www-authenticate": challenge, "content-type": "application/json" }).end("{}"));
        }
        return false;
      },
    });
    const config = join(folder, "tokens");
    mkdirSync(config);
    const auth = basic.slice("Basic ".length);
    writeFileSync(join(config, "config.json"), JSON.stringify({ auths: { [way.host]: { auth } } }));
    await pushed(`${way.host}/expiring:1`, { DOCKER_CONFIG: config });
    assert.deepEqual(issued, ["token-0", "token-1"]);
    const refusals = way.seen.filter(({ method, headers }) => method === "PATCH" && headers.authorization === "Bearer token-0");
    assert.equal(refusals.length, 1);
    assert.ok(way.seen.every(({ url, headers }) => headers.authorization !== basic || url.startsWith("/token?")));
    assert.match(await refused(`${way.host}/expiring:2`), /unauthorized/);
  });
});

describe("certificates", { timeout: 60_000 }, () => {
  test("certs.d: an authority and a client's certificate; hosts.toml: the same for a mirror; what is wrong there is told", async () => {
    const { ca, cert, key } = await certificates(address);
    await using way = await front({ address, tls: { cert, key, ca, requestCert: true, rejectUnauthorized: true } });
    const name = `${way.host}/secure:1`;
    assert.match(await refused(name), /tls: failed to verify certificate: x509: certificate signed by unknown authority/);
    const own = join(certsFolder, way.host);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "ca.crt"), ca);
    // What was read a second ago is taken as it was.
    const told = (what: RegExp): Promise<true> =>
      eventually(String(what), async () => (what.test((await push(name)).stderr) ? true : undefined));
    await told(/certificate required/);
    writeFileSync(join(own, "client.cert"), cert);
    await told(/missing key client.key for client certificate client.cert/);
    writeFileSync(join(own, "client.key"), key);
    await told(/^$/);
    rmSync(own, { recursive: true });

    const mirrored = join(certsFolder, "registry.invalid");
    mkdirSync(mirrored);
    for (const [file, text] of Object.entries({ "ca.pem": ca, "client.pem": cert + key })) writeFileSync(join(mirrored, file), text);
    const hosts = `server = "http://127.0.0.1:1"
[host."http://127.0.0.1:1"]
[host."https://${way.host}"]
  capabilities = ["pull", "resolve"]
  ca = "ca.pem"
  client = "client.pem"
  dial_timeout = "5s"
  [host."https://${way.host}".header]
    x-ship = ["berth"]
`;
    writeFileSync(join(mirrored, "hosts.toml"), hosts);
    way.seen.length = 0;
    await daemon.ok("pull", "-q", "registry.invalid/secure:1");
    await daemon.ok("rmi", "registry.invalid/secure:1");
    assert.ok(way.seen.length > 0);
    for (const { url, headers } of way.seen) assert.deepEqual([url.split("?")[1], headers["x-ship"]], ["ns=registry.invalid", "berth"]);
    writeFileSync(join(mirrored, "hosts.toml"), hosts.replace('"5s"', "soon"));
    const broken = await daemon.docker(["pull", "registry.invalid/secure:1"]);
    assert.equal(
      broken.stderr.trim(),
      `Error response from daemon: failed to load ${mirrored}/hosts.toml: line 7: Invalid TOML document: invalid value`,
    );
    writeFileSync(join(mirrored, "hosts.toml"), `[host."https://${way.host}"]\nskip_verify = true\nclient = "client.pem"`);
    await daemon.ok("pull", "-q", "registry.invalid/secure:1");
    await daemon.ok("rmi", "registry.invalid/secure:1");
    rmSync(mirrored, { recursive: true });
  });

  test("insecure registries: any certificate, or none", async () => {
    const { cert, key } = await certificates();
    await using secure = await front({ address, tls: { cert, key } });
    await using plain = await front({ address });
    assert.match(await refused(`${secure.host}/insecure:1`), /x509: certificate/);
    assert.match(await refused(`${plain.host}/insecure:1`), /http: server gave HTTP response to HTTPS client/);
    await configure({ "insecure-registries": [secure.host, `${address}/32`] }, `${address}/32`);
    await pushed(`${secure.host}/insecure:1`);
    await pushed(`${plain.host}/insecure:1`);
    await daemon.ok("pull", "-q", `${plain.host}/insecure:1`);
    await daemon.ok("rmi", `${plain.host}/insecure:1`);
    await configure({ "insecure-registries": [] }, '"InsecureRegistryCIDRs":["::1/128","127.0.0.0/8"]');
    assert.match(await refused(`${plain.host}/insecure:1`), /server gave HTTP response/);
  });
});

/** A proxy that writes down whom it was asked for. */
class ScratchProxy implements AsyncDisposable {
  readonly seen: string[] = [];
  readonly #server = createServer((request, response) => {
    this.seen.push(`${request.method} ${request.url}`);
    const { method, headers } = request;
    const sent = httpRequest(request.url ?? "", { method, headers, agent: false }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
    });
    sent.on("error", () => response.destroy());
    request.pipe(sent);
  });
  readonly #sockets = new Set<Socket>();

  static async open(): Promise<ScratchProxy> {
    const proxy = new ScratchProxy();
    proxy.#server.on("connection", (socket: Socket) => proxy.#sockets.add(socket));
    proxy.#server.on("connect", (request: IncomingMessage, socket: Socket) => {
      proxy.seen.push(`CONNECT ${request.url}`);
      const [name = "", port] = (request.url ?? "").split(":");
      const there = connect(Number(port), name, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        socket.pipe(there).pipe(socket);
      });
      proxy.#sockets.add(there);
      for (const [one, other] of [
        [there, socket],
        [socket, there],
      ] as const)
        one.on("error", () => other.destroy());
    });
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe("proxies", { timeout: 60_000 }, () => {
  test("of the environment and of daemon.json: HTTP, CONNECT, and not for whom NO_PROXY has", async () => {
    await using proxy = await ScratchProxy.open();
    const { ca, cert, key } = await certificates(address);
    await using secure = await front({ address, tls: { cert, key } });
    await using plain = await front({ address });
    await using direct = await front({ address: otherAddress });
    mkdirSync(join(certsFolder, secure.host), { recursive: true });
    writeFileSync(join(certsFolder, secure.host, "ca.crt"), ca);
    const insecure = { "insecure-registries": [plain.host, direct.host] };
    const asked = (text: string): boolean => proxy.seen.some((line) => line.includes(text));
    const pull = async (name: string): Promise<void> => {
      await daemon.ok("pull", "-q", name);
      await daemon.ok("rmi", name);
    };

    writeFileSync(join(folder, "daemon.json"), JSON.stringify(insecure));
    await daemon.kill("SIGTERM");
    await daemon.restart({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: `other.test,${otherAddress}` });
    await pushed(`${secure.host}/proxied:1`);
    assert.deepEqual(new Set(proxy.seen), new Set([`CONNECT ${secure.host}`]));
    await pull(`${plain.host}/proxied:1`);
    assert.ok(asked(`GET http://${plain.host}/v2/proxied/manifests/1`), proxy.seen.join());

    proxy.seen.length = 0;
    await pull(`${direct.host}/proxied:1`);
    assert.deepEqual(proxy.seen, []);

    await daemon.kill("SIGTERM");
    writeFileSync(
      join(folder, "daemon.json"),
      JSON.stringify({ ...insecure, proxies: { "http-proxy": proxy.url, "https-proxy": proxy.url } }),
    );
    await daemon.restart();
    await pull(`${secure.host}/proxied:1`);
    await pull(`${plain.host}/proxied:1`);
    assert.ok(asked(`CONNECT ${secure.host}`) && asked(`GET http://${plain.host}/v2/`), proxy.seen.join());
    rmSync(join(certsFolder, secure.host), { recursive: true });
  });
});
