/** `docker pull` and what belongs to it, from Berth's own registry, Docker's, and one that misbehaves. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { digestOf } from "../../src/base/base.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../src/spec/spec.ts";
import { ask } from "../ask.ts";
import { busyboxRootfs, Daemon, eventually } from "../daemon.ts";
import { debianRegistry, debianRegistryMissing } from "../debian-registry.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64", variant: "v8" };
const s390x: Platform = { os: "linux", architecture: "s390x" };
const busybox = await busyboxRootfs();

/** Three platforms behind `index`, and `one` of amd64 alone. */
function threePlatforms(): { shelf: Shelf; index: Descriptor } {
  const shelf = new Shelf();
  const entries = [amd64, arm64, s390x].map((platform) => ({
    ...shelf.image([busybox, tarOf({ platform: platform.architecture })], platform),
    platform,
  }));
  shelf.image([busybox], amd64, "one");
  return { shelf, index: shelf.index(entries, "index") };
}

async function refusal(daemon: Daemon, ...args: string[]): Promise<string> {
  const { status, stderr } = await daemon.docker(args);
  assert.notEqual(status, 0, args.join(" "));
  return stderr.trim();
}

/** Without the containers' and images' own: what pulls may leave. */
const downloads = (daemon: Daemon): string[] => readdirSync(join(daemon.dataRoot, "downloads"));
const blobs = (daemon: Daemon): string[] => readdirSync(join(daemon.dataRoot, "content/sha256"));

async function removeAll(daemon: Daemon): Promise<void> {
  const ids = (await daemon.ok("images", "-aq", "--no-trunc")).split("\n").filter(Boolean);
  if (ids.length > 0) await daemon.ok("rmi", "-f", ...new Set(ids));
  assert.deepEqual([blobs(daemon), downloads(daemon)], [[], []]);
}

describe("pull from a registry", { timeout: 180_000 }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.close());

  async function ofThreePlatforms(base: string): Promise<void> {
    const { shelf, index } = threePlatforms();
    await shelf.pushTo(base);
    const name = `${base.slice("http://".length)}/x/y`;
    const lines = (await daemon.ok("pull", `${name}:index`)).split("\n");
    assert.equal(lines[0], "index: Pulling from x/y");
    assert.deepEqual(lines.slice(-3), [`Digest: ${index.digest}`, `Status: Downloaded newer image for ${name}:index`, `${name}:index`]);
    assert.equal(lines.filter((line) => line.endsWith(": Pull complete")).length, 2);
    assert.equal(await daemon.ok("run", "--rm", `${name}:index`, "cat", "/platform"), "amd64");
    assert.equal(await daemon.ok("inspect", "-f", "{{json .RepoDigests}}", `${name}:index`), `["${name}@${index.digest}"]`);
    const again = (await daemon.ok("pull", `${name}:index`)).split("\n");
    assert.deepEqual(again.slice(1, -1), [`Digest: ${index.digest}`, `Status: Image is up to date for ${name}:index`]);
    const other = await daemon.ok("pull", "--platform", "linux/arm64", `${name}:index`);
    assert.match(other, /: Already exists\n/);
    const variant = ["image", "inspect", "-f", "{{.Architecture}} {{.Variant}}"];
    assert.equal(await daemon.ok(...variant, "--platform", "linux/arm64", `${name}:index`), "arm64 v8");
    assert.equal(await daemon.ok(...variant, `${name}:index`), "amd64", "beside it");
    assert.match(
      await refusal(daemon, "pull", "--platform", "linux/riscv64", `${name}:index`),
      /no matching manifest for linux\/riscv64 in the manifest list entries/,
    );
    assert.equal(await daemon.ok("pull", "-q", `${name}@${index.digest}`), `${name}@${index.digest}`);
    assert.equal(await daemon.ok("run", "--rm", `${name}@${index.digest}`, "cat", "/platform"), "amd64");
    await removeAll(daemon);
    const all = (await daemon.ok("pull", "-a", name)).split("\n");
    assert.deepEqual(all.filter((line) => line.includes("Pulling from")).sort(), ["index: Pulling from x/y", "one: Pulling from x/y"]);
    assert.deepEqual((await daemon.ok("images", "--format", "{{.Tag}}", name)).split("\n").sort(), ["index", "one"]);
    assert.match(
      await refusal(daemon, "pull", `${name}:nope`),
      new RegExp(`^Error response from daemon: manifest for ${name}:nope not found: manifest unknown`),
    );
    const ran = await daemon.docker(["run", "--rm", `${name.replace("/y", "/nope")}:1`, "true"]);
    assert.equal(ran.status, 125);
    assert.match(ran.stderr, /^Unable to find image '.*\/x\/nope:1' locally\ndocker: Error response from daemon: /);
    await removeAll(daemon);
    const first = await daemon.docker(["run", "--rm", `${name}:one`, "echo", "came"]);
    assert.equal(first.stdout, "came\n", first.stderr);
    await removeAll(daemon);
  }

  test("Berth's: three platforms, by digest, all tags, what is not there", async () => {
    await using registry = await ScratchRegistry.open();
    await ofThreePlatforms(`http://127.0.0.1:${registry.port}`);
  });

  test("Docker's, of Debian: the same", { skip: debianRegistryMissing }, async () => {
    await using registry = await debianRegistry();
    await ofThreePlatforms(`http://${registry.host}`);
  });

  test("a hundred layers", async () => {
    const shelf = new Shelf();
    const tars = [busybox, ...Array.from({ length: 99 }, (_, at) => tarOf({ [`layer-${at}`]: String(at) }))];
    shelf.image(tars, amd64, "deep");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y:deep`;
    await daemon.ok("pull", "-q", name);
    assert.equal(await daemon.ok("run", "--rm", name, "sh", "-c", "cat /layer-* | wc -c"), "188");
    await removeAll(daemon);
  });

  test("ten at once fetch each layer once", async () => {
    const shelf = new Shelf();
    shelf.image([busybox, tarOf({ a: randomBytes(3_000_000) })], amd64, "1");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y:1`;
    const pulls = await Promise.all(Array.from({ length: 10 }, () => daemon.docker(["pull", name])));
    for (const pull of pulls) assert.equal(pull.status, 0, pull.stderr);
    const asked = Map.groupBy(
      registry.seen.filter(({ url }) => url.includes("/blobs/")),
      ({ url }) => url,
    );
    const { layers } = JSON.parse(String(shelf.manifests.get("1")?.bytes)) as { layers: Descriptor[] };
    for (const layer of layers) assert.equal(asked.get(`/v2/x/y/blobs/${layer.digest}`)?.length, 1);
    await removeAll(daemon);
  });

  test("login, and pulls that need it", async () => {
    const folder = mkdtempSync("/var/tmp/berth-test-login-");
    writeFileSync(join(folder, "users"), `sailor:${password}\n`);
    const access = { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } as const;
    await using registry = await ScratchRegistry.open({ access });
    const host = `127.0.0.1:${registry.port}`;
    const { shelf } = threePlatforms();
    await shelf.pushTo(`http://${host}`, { authorization: `Basic ${Buffer.from("sailor:berth").toString("base64")}` });
    const env = { DOCKER_CONFIG: folder };
    try {
      const anonymous = await daemon.docker(["pull", `${host}/x/y:one`], { env });
      assert.match(anonymous.stderr, /^Error response from daemon: .*(unauthorized|no basic auth credentials|authentication required)/);
      const wrong = await daemon.docker(["login", "-u", "sailor", "--password-stdin", host], { env, input: "wrong" });
      assert.equal(wrong.status, 1);
      assert.match(wrong.stderr, /^Error response from daemon: login attempt to .* failed with status: 401 Unauthorized/);
      const right = await daemon.docker(["login", "-u", "sailor", "--password-stdin", host], { env, input: "berth" });
      assert.equal(right.stdout, "Login Succeeded\n", right.stderr);
      const pulled = await daemon.docker(["pull", `${host}/x/y:one`], { env });
      assert.equal(pulled.status, 0, pulled.stderr);
      const inspected = await ask(daemon, "GET", `/distribution/${host}/x/y:index/json`);
      assert.equal(inspected.status, 401, "credentials are of a request, not of the daemon");
    } finally {
      rmSync(folder, { recursive: true });
    }
    await removeAll(daemon);
  });

  test("GET /distribution, and search", async () => {
    const { shelf, index } = threePlatforms();
    await using registry = await shelf.serve((path, _request, response) => {
      if (!path.startsWith("/v1/search?")) return false;
      const results = [
        { name: "sea/boat", description: "floats", star_count: 7, is_official: true },
        { name: "sea/rock", description: "does not", star_count: 2, is_official: false },
      ];
      response.end(JSON.stringify({ results }));
      return true;
    });
    const { status, body } = await ask(daemon, "GET", `/distribution/${registry.host}/x/y:index/json`);
    assert.equal(status, 200);
    assert.deepEqual(body, {
      Descriptor: { mediaType: mediaTypes.ociIndex, digest: index.digest, size: index.size },
      Platforms: [amd64, arm64, s390x],
    });
    const single = await ask(daemon, "GET", `/distribution/${registry.host}/x/y:one/json`);
    assert.deepEqual((single.body as { Platforms: unknown }).Platforms, [amd64]);
    const missing = await ask(daemon, "GET", `/distribution/${registry.host}/x/y:nope/json`);
    assert.equal(missing.status, 404);
    const shown = ["search", "--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}"];
    assert.equal(await daemon.ok(...shown, `${registry.host}/boat`), "sea/boat 7 [OK]\nsea/rock 2");
    assert.equal(await daemon.ok(...shown, "-f", "is-official=false", "--limit", "5", `${registry.host}/boat`), "sea/rock 2");
    assert.equal(await daemon.ok(...shown, "-f", "stars=3", `${registry.host}/boat`), "sea/boat 7 [OK]");
    assert.match(await refusal(daemon, "search", "-f", "colour=red", `${registry.host}/boat`), /invalid filter 'colour'/);
    assert.match(
      await refusal(daemon, "search", "--limit", "101", `${registry.host}/boat`),
      /limit 101 is outside the range of \[1, 100\]/,
    );
  });
});

describe("a pull that is cut off", { timeout: 180_000 }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.close());

  test("by a daemon that is killed: what came is kept, and the rest is asked for", async () => {
    const shelf = new Shelf();
    const large = tarOf({ large: randomBytes(20_000_000) });
    const tars = [busybox, tarOf({ b: "b" }), large];
    shelf.image(tars, amd64, "1");
    let holding = true;
    await using registry = await shelf.serve((path, _request, response) => {
      if (!holding || !path.endsWith(digestOf(large))) return false;
      response.writeHead(200, { "content-length": large.length });
      response.write(large.subarray(0, 12_000_000));
      return true;
    });
    const name = `${registry.host}/x/y:1`;
    const cut = daemon.docker(["pull", name]);
    const [first, second] = (JSON.parse(String(shelf.manifests.get("1")?.bytes)) as { layers: Descriptor[] }).layers;
    await eventually("the first bytes", async () => {
      const there = downloads(daemon).map((file) => file.slice(0, 12));
      const layers = readdirSync(join(daemon.dataRoot, "layers")).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
      return there.length === 3 && layers.length === 2 ? true : undefined;
    });
    await eventually("most of the large one", async () => (partialBytes(daemon, digestOf(large)) >= 8_000_000 ? true : undefined));
    await daemon.kill("SIGKILL");
    assert.notEqual((await cut).status, 0);
    holding = false;
    registry.seen.length = 0;
    await daemon.restart();
    assert.deepEqual(blobs(daemon), []);
    await daemon.ok("pull", name);
    for (const layer of [first, second])
      assert.equal(registry.seen.filter(({ url }) => url.endsWith(String(layer?.digest))).length, 0, "asked for once only");
    const rest = registry.seen.filter(({ url }) => url.endsWith(digestOf(large)));
    assert.equal(rest.length, 1);
    assert.ok(Number(/^bytes=(\d+)-$/.exec(String(rest[0]?.headers.range))?.[1]) >= 8_000_000, String(rest[0]?.headers.range));
    assert.equal(await daemon.ok("run", "--rm", name, "sh", "-c", "wc -c < /large"), "20000000");
    await removeAll(daemon);
  });

  test("by a client that goes: the transfer ends, and goes on with the next", async () => {
    const shelf = new Shelf();
    const large = tarOf({ large: randomBytes(5_000_000) });
    shelf.image([busybox, tarOf({ b: "b" }), large], amd64, "1");
    let isHeld = true;
    const gone = Promise.withResolvers<void>();
    await using registry = await shelf.serve((path, _request, response) => {
      if (!isHeld || !path.endsWith(digestOf(large))) return false;
      response.writeHead(200, { "content-length": large.length });
      response.write(large.subarray(0, 3_000_000));
      response.on("close", () => gone.resolve());
      return true;
    });
    const name = `${registry.host}/x/y:1`;
    const aborted = await daemon.docker(["pull", name], { timeoutMs: 2000 });
    assert.notEqual(aborted.status, 0);
    await gone.promise;
    isHeld = false;
    await daemon.ok("pull", name);
    await removeAll(daemon);
  });

  test("wrong bytes, a wrong layer, a cut gzip, schema 1: told, and nothing stays", async () => {
    const bad = new Shelf();
    const layer = bad.layer(busybox, 0);
    const config = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(busybox)] } };
    bad.imageOf(config, [layer], "bytes");
    bad.imageOf(config, [bad.layer(tarOf({ other: "o" }), 0)], "layer");
    const whole = bad.blobs.get(layer.digest) ?? Buffer.alloc(0);
    bad.imageOf(config, [bad.blob(whole.subarray(0, whole.length - 100), `${mediaTypes.ociLayer}+gzip`)], "gzip");
    bad.manifest({ schemaVersion: 1 }, "application/vnd.docker.distribution.manifest.v1+prettyjws", "old");
    bad.blobs.set(layer.digest, randomBytes(layer.size));
    await using registry = await bad.serve();
    const name = `${registry.host}/x/y`;
    assert.match(await refusal(daemon, "pull", `${name}:bytes`), /filesystem layer verification failed for digest sha256:/);
    assert.match(await refusal(daemon, "pull", `${name}:layer`), /failed to register layer: invalid diffID/);
    assert.match(await refusal(daemon, "pull", `${name}:gzip`), /failed to register layer: cannot decompress the layer/);
    assert.match(await refusal(daemon, "pull", `${name}:old`), /schema 1 support has been removed/);
    assert.deepEqual(blobs(daemon), []);
    assert.deepEqual(
      readdirSync(join(daemon.dataRoot, "layers")).filter((entry) => entry !== "empty"),
      [],
    );
    await daemon.kill("SIGTERM");
    await daemon.restart();
    assert.equal(await daemon.ok("images", "-aq"), "");
    // What came whole may be of use for another pull: for a day.
    for (const file of downloads(daemon)) rmSync(join(daemon.dataRoot, "downloads", file));
  });
});

function partialBytes(daemon: Daemon, digest: string): number {
  const name = downloads(daemon).find((file) => file.startsWith(digest.slice("sha256:".length)));
  return name === undefined ? 0 : readFileSync(join(daemon.dataRoot, "downloads", name)).length;
}

describe("registry settings", { timeout: 120_000 }, () => {
  test("a mirror of Docker Hub and one of another registry, taken over with SIGHUP; info tells", async () => {
    const folder = mkdtempSync("/var/tmp/berth-test-mirror-");
    const file = join(folder, "daemon.json");
    writeFileSync(file, "{}");
    const shelf = new Shelf();
    shelf.image([busybox], amd64, "1");
    await using mirror = await shelf.serve();
    const daemon = await Daemon.start(["--config-file", file]);
    try {
      const settings = {
        "registry-mirrors": [`http://${mirror.host}`],
        mirrors: { "registry.invalid": [`http://${mirror.host}`] },
        "insecure-registries": ["10.99.0.0/16", "old.example:5000"],
        "max-concurrent-downloads": 1,
      };
      writeFileSync(file, JSON.stringify(settings));
      process.kill(daemon.pid, "SIGHUP");
      const shown = "{{json .RegistryConfig.Mirrors}} {{json .RegistryConfig.InsecureRegistryCIDRs}}";
      await eventually("the reload", async () =>
        (await daemon.ok("info", "-f", shown)) === `["http://${mirror.host}/"] ["::1/128","127.0.0.0/8","10.99.0.0/16"]` ? true : undefined,
      );
      await daemon.ok("pull", "x/y:1");
      await daemon.ok("pull", "registry.invalid/x/y:1");
      assert.ok(mirror.seen.some(({ url }) => url.endsWith("?ns=registry.invalid")));
      assert.equal(await daemon.ok("run", "--rm", "registry.invalid/x/y:1", "echo", "mirrored"), "mirrored");
    } finally {
      await daemon.close();
      rmSync(folder, { recursive: true });
    }
  });
});

test("large layers take little memory, also in a daemon that has pulled before", { timeout: 120_000 }, async () => {
  const shelf = new Shelf();
  const large = (): Buffer => tarOf({ large: Buffer.alloc(100_000_000, randomBytes(1000)) });
  // As gzip, as zstd, and plain.
  shelf.image([large(), large(), large()], amd64, "large");
  shelf.image(
    Array.from({ length: 60 }, () => tarOf({ some: randomBytes(300_000) })),
    amd64,
    "many",
  );
  await using registry = await shelf.serve();
  const daemon = await Daemon.start();
  for (const tag of ["large", "many", "large"]) {
    await daemon.ok("pull", `${registry.host}/x/y:${tag}`);
    await removeAll(daemon);
  }
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024;
  await daemon.close();
  assert.ok(peak < 200, `${peak} MiB`);
});
