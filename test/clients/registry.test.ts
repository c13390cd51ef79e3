/** `berth registry serve` under other people's clients: skopeo; `other-engines.test.ts` has podman and Docker. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { command, Daemon, eventually, projectRoot, type Result } from "../daemon.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth

class Served implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly port: number;
  readonly #log: () => string;

  private constructor(child: ChildProcess, port: number, log: () => string) {
    this.#child = child;
    this.port = port;
    this.#log = log;
  }

  static async start(args: readonly string[]): Promise<Served> {
    const child = spawn(join(projectRoot, "berth"), ["registry", "serve", "--addr", "127.0.0.1:0", ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr?.on("data", (chunk) => {
      log += chunk;
    });
    const port = await eventually(
      "the registry",
      async () => {
        assert.equal(child.exitCode, null, log);
        const text = /listening on https?:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
        return text === undefined ? undefined : Number(text);
      },
      60_000,
    );
    return new Served(child, port, () => log);
  }

  log(): string {
    return this.#log();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await new Promise((resolve) => this.#child.once("exit", resolve));
    assert.equal(this.#child.exitCode, 0, this.#log());
  }
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An OCI layout on disk with an index for three platforms. @returns the index's digest */
function writeLayout(folder: string): string {
  mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
  const put = (data: string | Uint8Array, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(data).digest("hex");
    writeFileSync(join(folder, "blobs/sha256", hex), data);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(data) };
  };
  const shared = randomBytes(2_000_000);
  const manifests = ["amd64", "arm64", "riscv64"].map((architecture) => {
    const own = randomBytes(1000);
    const layers = [shared, own].map((layer) => put(gzipSync(layer, { level: 0 }), "application/vnd.oci.image.layer.v1.tar+gzip"));
    const ids = [shared, own].map((layer) => `sha256:${createHash("sha256").update(layer).digest("hex")}`);
    const config = { architecture, os: "linux", rootfs: { type: "layers", diff_ids: ids }, config: {} };
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: put(JSON.stringify(config), "application/vnd.oci.image.config.v1+json"),
      layers,
    };
    return { ...put(JSON.stringify(manifest), manifest.mediaType), platform: { os: "linux", architecture } };
  });
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = put(JSON.stringify({ schemaVersion: 2, mediaType, manifests }), mediaType);
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...index, annotations: { "org.opencontainers.image.ref.name": "all" } };
  writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return index.digest;
}

const has = async (program: string): Promise<boolean> => (await command("sh", ["-c", `command -v ${program}`])).status === 0;
const skopeoMissing = (await has("skopeo")) ? false : "skopeo is not installed (apt-get install skopeo)";

describe("skopeo", { skip: skopeoMissing, timeout: 120_000 }, () => {
  let folder: string;
  let digest: string;
  before(() => {
    folder = mkdtempSync("/var/tmp/berth-test-skopeo-");
    digest = writeLayout(join(folder, "layout"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const ok = async (...args: string[]): Promise<string> => {
    const result: Result = await command("skopeo", ["--insecure-policy", ...args]);
    assert.equal(result.status, 0, `skopeo ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];

  test("an image of three platforms there and back has the same digests", async () => {
    await using served = await Served.start(["--root", join(folder, "one")]);
    const remote = `docker://127.0.0.1:${served.port}`;
    await ok("copy", "--all", ...plain, `oci:${folder}/layout:all`, `${remote}/some/image:v1`);
    const raw = await ok("inspect", "--raw", "--tls-verify=false", `${remote}/some/image:v1`);
    assert.equal(`sha256:${createHash("sha256").update(raw).digest("hex")}`, digest);
    await ok("copy", "--all", ...plain, `${remote}/some/image@${digest}`, `${remote}/other/image:v2`);
    await ok("copy", "--all", ...plain, `${remote}/other/image:v2`, `oci:${folder}/back:all`);
    const back = JSON.parse(readFileSync(join(folder, "back/index.json"), "utf8")) as { manifests: Descriptor[] };
    assert.deepEqual(
      back.manifests.map((entry) => entry.digest),
      [digest],
    );
    assert.deepEqual(JSON.parse(await ok("list-tags", "--tls-verify=false", `${remote}/some/image`)).Tags, ["v1"]);
    await ok("delete", "--tls-verify=false", `${remote}/some/image:v1`);
    assert.notEqual((await command("skopeo", ["inspect", "--tls-verify=false", `${remote}/some/image:v1`])).status, 0);
  });

  test("Docker's formats, with a login", async () => {
    const users = join(folder, "users");
    writeFileSync(users, `sailor:${password}\n`);
    await using served = await Served.start(["--root", join(folder, "two"), "--htpasswd", users]);
    const remote = `docker://127.0.0.1:${served.port}`;
    const refused = await command("skopeo", ["--insecure-policy", "copy", ...plain, `oci:${folder}/layout:all`, `${remote}/a:v1`]);
    assert.match(refused.stderr, /authentication required/);
    const creds = ["--src-creds", "sailor:berth", "--dest-creds", "sailor:berth"];
    await ok("copy", "--format", "v2s2", ...plain, "--dest-creds", "sailor:berth", `oci:${folder}/layout:all`, `${remote}/a:v1`);
    const manifest = JSON.parse(await ok("inspect", "--raw", "--tls-verify=false", "--creds", "sailor:berth", `${remote}/a:v1`));
    assert.equal(manifest.mediaType, "application/vnd.docker.distribution.manifest.v2+json");
    await ok("copy", ...plain, ...creds, `${remote}/a:v1`, `${remote}/b:v1`);
    assert.match(served.log(), /mount=sha256[^"]*" status=201/);
  });

  test("through a copy of another registry", async () => {
    await using origin = await Served.start(["--root", join(folder, "origin")]);
    await ok("copy", "--all", ...plain, `oci:${folder}/layout:all`, `docker://127.0.0.1:${origin.port}/image:v1`);
    await using mirror = await Served.start(["--root", join(folder, "mirror"), "--proxy", `copies=http://127.0.0.1:${origin.port}`]);
    await ok("copy", "--all", ...plain, `docker://127.0.0.1:${mirror.port}/copies/image:v1`, `oci:${folder}/copied:all`);
    const back = JSON.parse(readFileSync(join(folder, "copied/index.json"), "utf8")) as { manifests: Descriptor[] };
    assert.deepEqual(
      back.manifests.map((entry) => entry.digest),
      [digest],
    );
  });
});

test("in the daemon's own process, below its data root", { timeout: 120_000 }, async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const port = (taken.address() as AddressInfo).port;
  taken.close();
  const daemon = await Daemon.start(["--registry", `127.0.0.1:${port}`]);
  try {
    const body = randomBytes(100_000);
    const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
    const url = `http://127.0.0.1:${port}/v2/in/daemon/blobs`;
    assert.equal((await fetch(`${url}/uploads/?digest=${digest}`, { method: "POST", body })).status, 201);
    await daemon.kill("SIGKILL");
    await daemon.restart();
    assert.deepEqual(Buffer.from(await (await fetch(`${url}/${digest}`)).arrayBuffer()), body);
    assert.ok(existsSync(join(daemon.dataRoot, "registry/registry.db")));
  } finally {
    await daemon.close();
  }
});
