/** Contexts, TLS and ssh, with the docker client as the reference where it says anything. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient, type ClientResult, runClient } from "./bundled-client.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

const folder = mkdtempSync("/tmp/berth-test-hosts-");
const main = join(folder, "berth.cjs");

/** Runs a client with a home of its own. */
function run(client: "docker" | "berth", args: readonly string[], env: Record<string, string> = {}): Promise<ClientResult> {
  const home = join(folder, client);
  mkdirSync(home, { recursive: true });
  const { DOCKER_HOST: _, ...rest } = process.env;
  return runClient(client, main, args, { cwd: home, env: { ...rest, HOME: home, ...env } });
}

/** What must be the same: the names of the programs, of their homes and of their sockets apart. */
const plain = (text: string): string =>
  text
    .replaceAll(join(folder, "docker"), "HOME")
    .replaceAll(join(folder, "berth"), "HOME")
    .replaceAll(/unix:\/\/\/(?:var\/run\/docker|run\/berth\/berth)\.sock */g, "SOCKET ")
    .replaceAll(/DOCKER ENDPOINT */g, "DOCKER ENDPOINT ")
    .replace(/\bdocker\b(?!["])/g, "berth")
    .replaceAll("Docker daemon", "Berth daemon")
    .replaceAll(/ {3,}/g, "   ")
    .replaceAll(/ +$/gm, "");

async function same(args: readonly string[], env: Record<string, string> = {}): Promise<ClientResult> {
  const [docker, berth] = [await run("docker", args, env), await run("berth", args, env)];
  const shown = ({ status, stdout, stderr }: ClientResult): ClientResult => ({ status, stdout: plain(stdout), stderr: plain(stderr) });
  assert.deepEqual(shown(berth), shown(docker));
  return berth;
}

function certificates(): void {
  const openssl = (...args: string[]): Buffer => execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca");
  for (const name of ["server", "client"]) {
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", `${name}-key.pem`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(join(folder, "names"), "subjectAltName=IP:127.0.0.1\n");
    const request = ["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2"];
    openssl(...request, "-extfile", "names", "-out", `${name}-cert.pem`);
  }
}

before(async () => {
  await bundleClient(main);
  certificates();
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("contexts are kept and told as docker does", async () => {
  const pem = (name: string): string => join(folder, `${name}.pem`);
  const lines = [
    "ls",
    "create aa --docker host=tcp://1.2.3.4:2376 --description desc",
    "create aa",
    "create bb --docker host=unix:///x/y.sock,foo=bar",
    "create bb --docker host=unix:///nonexistent.sock",
    "create cc --from aa",
    `create dd --docker host=tcp://h:2376,ca=${pem("ca")},cert=${pem("client-cert")},key=${pem("client-key")},skip-tls-verify=true`,
    "create ee --docker host=tcp://h:2376,ca=/nosuch.pem",
    "create default",
    "create gg --from aa --docker host=tcp://x",
    "create hh",
    "create ii --docker host=xx",
    "create jj --docker foo",
    "create x",
    "create ll --docker skip-tls-verify=maybe,host=tcp://a",
    "ls",
    "ls -q",
    "ls --format json",
    "ls --format {{.Name}}:{{.Current}}",
    "inspect aa dd",
    "inspect nosuch aa",
    "use aa",
    "show",
    "ls",
    "inspect",
    "use nosuch",
    "rm aa",
    "rm cc nosuch",
    "rm -f aa",
    "rm default",
    "show",
    "update bb --description n",
    "update nosuch --description n",
    "update bb --docker host=tcp://y:1",
    "inspect bb",
    "export bb",
    "export bb",
    "export dd d.tar",
    "import zz d.tar",
    "import zz d.tar",
    "inspect zz",
    "import yy nosuch",
    `import xx ${pem("ca")}`,
    "use bb",
    "show",
    "create",
    "nosuch",
  ];
  for (const line of lines) await same(["context", ...line.split(" ")]);
  const tree = (client: string): unknown =>
    readdirSync(join(folder, client), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(join(folder, client).length), /\.(tar|dockercontext)$/.test(path) ? "" : plain(readFileSync(path, "utf8"))];
      })
      .sort();
  assert.deepEqual(tree("berth"), tree("docker"));
  // Each takes what the other has written.
  for (const [client, other] of [
    ["docker", "berth"],
    ["berth", "docker"],
  ] as const)
    assert.equal((await run(client, ["context", "import", "theirs", `../${other}/d.tar`])).status, 0);
  await same(["context", "inspect", "theirs"]);
  await same(["-c", "nosuch", "ps"]);
  await same(["-c", "nosuch", "context", "ls"]);
  await same(["-c", "bb", "-H", "unix:///x", "ps"]);
  await same(["context", "ls"], { DOCKER_CONTEXT: "nosuch" });
  await same(["context", "ls"], { DOCKER_HOST: "tcp://foo:1" });
  await same(["context", "use", "bb"], { DOCKER_HOST: "tcp://foo:1" });
});

describe("hosts", () => {
  let daemon: ScriptedDaemon;
  before(async () => {
    daemon = await ScriptedDaemon.open();
    daemon.script = { "GET /containers/json": { json: [] } };
  });
  after(() => daemon[Symbol.asyncDispose]());
  const header = /^CONTAINER ID/;

  test("a context's host is the one that is called", async () => {
    await run("berth", ["context", "create", "mine", "--docker", `host=${daemon.host}`]);
    assert.match((await run("berth", ["-c", "mine", "ps"])).stdout, header);
    assert.match((await run("berth", ["ps"], { DOCKER_CONTEXT: "mine" })).stdout, header);
  });

  test("headers and formats of config.json", async () => {
    const settings = { HttpHeaders: { "X-Mine": "yes" }, psFormat: "{{.Names}}!" };
    daemon.script = { "GET /containers/json": { json: [{ Names: ["/web"] }] } };
    for (const client of ["docker", "berth"]) {
      mkdirSync(join(folder, client, "set"), { recursive: true });
      writeFileSync(join(folder, client, "set/config.json"), JSON.stringify(settings));
    }
    daemon.headers.length = 0;
    const { stdout } = await same(["--config", "set", "-H", daemon.host, "ps"]);
    assert.equal(stdout, "web!\n");
    assert.ok(daemon.headers.length >= 2 && daemon.headers.every((headers) => headers["x-mine"] === "yes"));
  });

  test("--json is what jq takes", async () => {
    daemon.script = { "GET /containers/json": { json: [{ Names: ["/web"] }, { Names: ["/db"] }] } };
    const { stdout } = await run("berth", ["-H", daemon.host, "ps", "--json"]);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { Names: string }).Names),
      ["web", "db"],
    );
  });

  test("ssh: the other machine's dial-stdio is spoken to", async () => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    daemon.script = { "GET /containers/json": { json: [] } };
    // An ssh that runs the command here, having noted what it was asked.
    writeFileSync(join(bin, "ssh"), `#!/bin/sh\nprintf '%s\\n' "$@" >'${folder}/ssh-args'\nfor last; do :; done\nexec sh -c "$last"\n`, {
      mode: 0o755,
    });
    writeFileSync(join(bin, "berth"), `#!/bin/sh\nexec '${process.execPath}' -- '${main}' "$@"\n`, { mode: 0o755 });
    const path = `${bin}:${process.env["PATH"] ?? ""}`;
    const host = `ssh://me@there:2222${daemon.host.slice("unix://".length)}`;
    const { status, stdout, stderr } = await run("berth", ["-H", host, "ps"], { PATH: path });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, header);
    assert.match(readFileSync(join(folder, "ssh-args"), "utf8"), /^-o\nConnectTimeout=30\n-T\n-l\nme\n-p\n2222\n--\nthere\n/);
    writeFileSync(join(bin, "ssh"), "#!/bin/sh\necho 'no route' >&2\nexit 255\n", { mode: 0o755 });
    const failed = await run("berth", ["-H", "ssh://there", "ps"], { PATH: path });
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /has exited with exit status 255, make sure the URL is valid.*stderr=no route/);
  });

  describe("TLS", () => {
    let server: Server;
    let host = "";
    const file = (name: string): string => join(folder, name);
    before(async () => {
      const [key, cert, ca] = ["server-key.pem", "server-cert.pem", "ca.pem"].map((name) => readFileSync(file(name)));
      server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
        response.setHeader("Api-Version", "1.51");
        response.end(request.url?.includes("/containers/json") === true ? "[]" : "");
      });
      await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
      const address = server.address();
      host = `tcp://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
    });
    after(() => server.close());
    const own = (): string[] => ["--tlscacert", file("ca.pem"), "--tlscert", file("client-cert.pem"), "--tlskey", file("client-key.pem")];

    test("verified, with the client's own certificate", async () => {
      assert.match((await same(["-H", host, "--tlsverify", ...own(), "ps"])).stdout, header);
    });
    test("unverified", async () => {
      assert.match((await same(["-H", host, "--tls", ...own(), "ps"])).stdout, header);
    });
    test("by the environment", async () => {
      mkdirSync(file("certs"));
      for (const [to, from] of [
        ["ca", "ca"],
        ["cert", "client-cert"],
        ["key", "client-key"],
      ])
        writeFileSync(file(`certs/${to}.pem`), readFileSync(file(`${from}.pem`)));
      const env = { DOCKER_HOST: host, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: file("certs") };
      assert.match((await same(["ps"], env)).stdout, header);
    });
    test("a context's certificates", async () => {
      const files = `ca=${file("ca.pem")},cert=${file("client-cert.pem")},key=${file("client-key.pem")}`;
      await same(["context", "create", "secured", "--docker", `host=${host},${files}`]);
      assert.match((await same(["-c", "secured", "ps"])).stdout, header);
    });
    test("a server that somebody else vouches for is refused", async () => {
      const { status, stderr } = await run("berth", ["-H", host, "--tlsverify", "--tlscacert", file("client-cert.pem"), "ps"]);
      assert.equal(status, 1);
      assert.match(stderr, /error during connect: .*(certificate|issuer)/);
    });
  });
});
