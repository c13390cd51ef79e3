/** Registries that break off, lie, lead astray and never end, as the stock docker sees them through a daemon. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { digestOf } from "../../src/base/base.ts";
import { type Rough, refuse, rough, send } from "../../src/distribution/rough-registry.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { type SampleEntry, sampleTar } from "../../src/layers/sample-tar.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../src/spec/spec.ts";
import { ask } from "../ask.ts";
import { busyboxRootfs, Daemon, eventually } from "../daemon.ts";
import { Sentinel } from "../hostile-image.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const gzipType = `${mediaTypes.ociLayer}+gzip`;
const busybox = await busyboxRootfs();

/** How a blob or a manifest is answered for: by its digest or tag. `count`: how often it was asked for before. */
type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

class Harbour {
  readonly shelf = new Shelf();
  readonly answers = new Map<string, Answer>();
  readonly #counts = new Map<string, number>();

  serve(): Promise<Rough> {
    return this.shelf.serve((path, request, response) => {
      const [, name = ""] = /^\/v2\/x\/y\/(?:manifests|blobs|tags)\/([^?]*)/.exec(path) ?? [];
      const answer = this.answers.get(name);
      if (answer === undefined) return false;
      const count = this.#counts.get(name) ?? 0;
      this.#counts.set(name, count + 1);
      answer(request, response, count);
      return true;
    });
  }

  /** Breaks off after so many bytes the first time, and goes on where it is asked to. */
  cut(digest: string, at: number): void {
    const bytes = this.shelf.blobs.get(digest) ?? this.shelf.manifests.get(digest)?.bytes ?? Buffer.alloc(0);
    const type = this.shelf.manifests.get(digest)?.mediaType ?? "application/octet-stream";
    this.answers.set(digest, (request, response, count) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (count === 0 && at === 0) return void response.destroy();
      const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
      response.writeHead(from > 0 ? 206 : 200, { "content-type": type, "content-length": bytes.length - from, ...range });
      if (count > 0) response.end(bytes.subarray(from));
      else response.write(bytes.subarray(0, at), () => setTimeout(() => response.destroy(), 20));
    });
  }

  /** An image of busybox and one more layer, which is answered for so. */
  with(tag: string, layer: Buffer, answer?: Answer, mediaType: string = gzipType): string {
    const described = this.shelf.blob(layer, mediaType);
    this.shelf.imageOf({ ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(layer)] } }, [described], tag);
    if (answer !== undefined) this.answers.set(described.digest, answer);
    return described.digest;
  }

  /** An image whose manifest is these bytes. */
  manifest(tag: string, bytes: Buffer | string, mediaType: string = mediaTypes.ociManifest): void {
    this.shelf.manifests.set(tag, { mediaType, bytes: Buffer.from(bytes) });
  }
}

const whole = (bytes: Buffer): Answer => {
  return (_request, response) => send(response, 200, {}, bytes);
};

describe("a registry that misbehaves", { timeout: 240_000 }, () => {
  const folder = mkdtempSync("/var/tmp/berth-test-misbehaving-");
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start(["--max-concurrent-downloads", "20", "--max-download-attempts", "3"]);
  });
  after(async () => {
    await daemon.close();
    rmSync(folder, { recursive: true });
  });

  const files = (name: string): string[] => readdirSync(join(daemon.dataRoot, name)).filter((file) => file !== "empty");
  const partials = (): { name: string; bytes: number }[] =>
    files("downloads").map((name) => ({ name: name.slice(0, 64), bytes: statSync(join(daemon.dataRoot, "downloads", name)).size }));

  /** All at once: each fails with its words, docker's exit code, and by itself. */
  async function refused(registry: Rough, cases: Readonly<Record<string, RegExp>>): Promise<void> {
    const work = Object.entries(cases).map(async ([tag, words]) => {
      const { status, stderr } = await daemon.docker(["pull", `${registry.host}/x/y:${tag}`]);
      assert.equal(status, 1, `${tag}: ${stderr}`);
      assert.match(stderr, words, tag);
    });
    const failed = (await Promise.allSettled(work)).flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
    assert.deepEqual(failed, []);
  }

  async function nothingIsLeft(): Promise<void> {
    assert.equal(await daemon.ok("images", "-aq"), "");
    assert.deepEqual([files("layers"), files("content/sha256"), files("downloads")], [[], [], []]);
  }

  async function removeAll(): Promise<void> {
    const ids = (await daemon.ok("images", "-aq", "--no-trunc")).split("\n").filter(Boolean);
    if (ids.length > 0) await daemon.ok("rmi", "-f", ...new Set(ids));
    await nothingIsLeft();
  }

  /** @returns how much more memory the daemon had meanwhile than before, at the most */
  async function growthOf(work: () => Promise<void>): Promise<number> {
    const read = (what: string): number =>
      Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = read("VmRSS");
    writeFileSync(`/proc/${daemon.pid}/clear_refs`, "5");
    await work();
    return read("VmHWM") - before;
  }

  test("resets at byte N of each kind of layer, the configuration and the manifest: gone on with", async () => {
    const harbour = new Harbour();
    const tags = [0, 1, 5000, 200_000, -1].map((at, index) => {
      const tag = `cut${index}`;
      const tars = [busybox, tarOf({ a: randomBytes(300_000) }), tarOf({ b: randomBytes(300_000) })];
      const image = harbour.shelf.image([...tars.slice(1), tars[0] ?? busybox].reverse(), amd64, tag);
      const { config, layers } = JSON.parse(String(harbour.shelf.manifests.get(tag)?.bytes)) as {
        config: Descriptor;
        layers: Descriptor[];
      };
      for (const { digest, size } of layers) harbour.cut(digest, at < 0 ? size - 1 : Math.min(at, size - 1));
      harbour.cut(config.digest, Math.min(Math.max(at, 0), config.size - 1));
      harbour.cut(tag, Math.min(Math.max(at, 0), image.size - 1));
      return tag;
    });
    await using registry = await harbour.serve();
    await Promise.all(tags.map((tag) => daemon.ok("pull", "-q", `${registry.host}/x/y:${tag}`)));
    for (const tag of tags) assert.equal(await daemon.ok("run", "--rm", `${registry.host}/x/y:${tag}`, "sh", "-c", "wc -c < /a"), "300000");
    const ranges = registry.seen.flatMap(({ headers }) => headers.range ?? []);
    assert.ok(ranges.includes("bytes=200000-") && ranges.includes("bytes=1-"), ranges.join());
    await removeAll();
  });

  test("resets for ever: given up, what came is kept for the next time, and prune takes it", async () => {
    const harbour = new Harbour();
    const layer = gzipSync(tarOf({ a: randomBytes(200_000) }), { level: 0 });
    const half = layer.subarray(0, 100_000);
    const digest = harbour.with("never", layer, (_request, response) => {
      response.writeHead(200, { "content-length": layer.length });
      response.write(half, () => setTimeout(() => response.destroy(), 20));
    });
    await using registry = await harbour.serve();
    await refused(registry, { never: /^(read tcp .*: )?read: connection reset by peer$/m });
    assert.deepEqual(partials(), [{ name: digest.slice(7), bytes: half.length }]);
    assert.equal(((await ask(daemon, "POST", "/images/prune")).body as { SpaceReclaimed: number }).SpaceReclaimed, half.length);
    await nothingIsLeft();
  });

  test("wrong digests, lengths and compressions: an error, and nothing stays", async () => {
    const harbour = new Harbour();
    const tar = tarOf({ a: randomBytes(100_000) });
    const layer = gzipSync(tar, { level: 1 });
    const other = Buffer.from(layer).fill(7, 20_000, 20_010);
    const unlike = (tag: string, answer: Answer): string => harbour.with(tag, gzipSync(tarOf({ [tag]: randomBytes(50_000) })), answer);
    unlike("digest", (_request, response) => send(response, 200, {}, randomBytes(60_000)));
    harbour.with("digest2", layer, whole(other));
    unlike("short", whole(layer.subarray(0, 1000)));
    unlike("long", whole(randomBytes(1_000_000)));
    unlike("short-unsaid", (_request, response) => response.writeHead(200).end(layer.subarray(0, 1000)));
    unlike("long-unsaid", (_request, response) => response.writeHead(200).end(randomBytes(1_000_000)));
    unlike("gone", (_request, response) => refuse(response, 404, "BLOB_UNKNOWN", "blob unknown to registry"));
    const one = (tag: string, blob: Buffer, diffId: string = digestOf(tar)): void => {
      const config = { ...amd64, rootfs: { type: "layers", diff_ids: [diffId] } };
      harbour.shelf.imageOf(config, [harbour.shelf.blob(blob, gzipType)], tag);
    };
    one("cut-gzip", layer.subarray(0, layer.length - 5000));
    one("gzip-garbage", Buffer.concat([layer, randomBytes(5000)]));
    one("no-gzip", Buffer.concat([Buffer.from("1f8b08", "hex"), randomBytes(5000)]));
    one("no-tar", gzipSync(randomBytes(5000)), digestOf(randomBytes(1)));
    one("other-layer", gzipSync(tarOf({ other: "x" })));
    await using registry = await harbour.serve();
    await refused(registry, {
      digest: /^filesystem layer verification failed for digest sha256:|bytes instead of/m,
      digest2: /^filesystem layer verification failed for digest sha256:/m,
      short: /1000 bytes instead of \d+/,
      long: /1000000 bytes instead of \d+/,
      "short-unsaid": /1000 bytes instead of \d+/,
      "long-unsaid": /more than the \d+ bytes that it should have/,
      gone: /^unknown blob$/m,
      "cut-gzip": /^failed to register layer: cannot decompress the layer: unexpected end of file/m,
      "gzip-garbage": /^failed to register layer: /m,
      "no-gzip": /^failed to register layer: cannot decompress the layer: /m,
      "no-tar": /^failed to register layer: /m,
      "other-layer": /^failed to register layer: invalid diffID/m,
    });
    await nothingIsLeft();
  });

  test("manifests and configurations that are not what they should be: an error, and nothing stays", async () => {
    const harbour = new Harbour();
    const { shelf } = harbour;
    const tar = tarOf({ a: "a" });
    const layer = shelf.layer(tar, 0);
    const fine = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
    const image = shelf.imageOf(fine, [layer], "fine");
    const manifest = JSON.parse(String(shelf.manifests.get("fine")?.bytes)) as { config: Descriptor; layers: Descriptor[] };
    harbour.manifest("both", JSON.stringify({ ...manifest, manifests: [] }));
    harbour.manifest("both-index", JSON.stringify({ schemaVersion: 2, manifests: [image], layers: [] }), mediaTypes.ociIndex);
    harbour.manifest("type", JSON.stringify(manifest), "text/html");
    harbour.manifest("type-other", JSON.stringify(manifest), mediaTypes.ociIndex);
    harbour.manifest("no-json", "<html>404</html>");
    harbour.manifest("huge", `{"schemaVersion":2,"x":"${"x".repeat(100_000_000)}"}`);
    harbour.manifest("deep", `{"schemaVersion":2,"x":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`);
    const lying = `sha256:${"5".repeat(64)}`;
    harbour.manifest(lying, JSON.stringify(manifest));
    shelf.index([{ ...image, digest: lying, platform: amd64 } as Descriptor], "index-lies");
    const of = (tag: string, config: string | object, layers = [layer]): Descriptor => {
      const described = shelf.blob(Buffer.from(typeof config === "string" ? config : JSON.stringify(config)), mediaTypes.ociConfig);
      return shelf.manifest(
        { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: described, layers },
        mediaTypes.ociManifest,
        tag,
      );
    };
    of("config-no-json", "no JSON");
    of("config-other", JSON.stringify([1]));
    of("config-unlike", { ...fine, rootfs: { type: "layers", diff_ids: [digestOf(tar), digestOf("x")] } });
    of("config-digest", { ...fine, rootfs: { type: "layers", diff_ids: ["sha256:../../x"] } });
    of("config-huge", { ...fine, x: "x".repeat(100_000_000) });
    of("config-lies", { ...fine, author: "x" });
    const lied = JSON.parse(String(shelf.manifests.get("config-lies")?.bytes)) as { config: Descriptor };
    harbour.answers.set(lied.config.digest, whole(Buffer.alloc(lied.config.size, " ")));
    const many = Array<Descriptor>(10_000).fill(layer);
    of("layers", { ...fine, rootfs: { type: "layers", diff_ids: many.map(() => digestOf(tar)) } }, many);
    await using registry = await harbour.serve();
    const words = {
      both: /has "manifests", which makes it ambiguous/,
      "both-index": /has "layers", which makes it ambiguous/,
      type: /^Error response from daemon: mediaType in manifest should be 'text\/html'/m,
      "type-other": /mediaType in manifest should be 'application\/vnd.oci.image.index/,
      "no-json": /the manifest is not valid JSON/,
      huge: /manifest of huge: more than 4194304 bytes/,
      deep: /the manifest is not valid JSON|unsupported manifest media type|image manifest: has no "layers"/,
      "index-lies": /manifest verification failed for digest sha256:555/,
      "config-no-json": /invalid image configuration: not JSON/,
      "config-other": /invalid image configuration/,
      "config-unlike": /layers from manifest don't match image configuration/,
      "config-digest": /rootfs must list layers by digest/,
      "config-huge": /more than 8388608 bytes/,
      "config-lies": /image config verification failed for digest/,
      layers: /max depth exceeded/,
    };
    const growth = await growthOf(() => refused(registry, words));
    await nothingIsLeft();
    assert.ok(growth < 150, `${growth} MiB`);
  });

  test("tags without end: given up", async () => {
    await using registry = await rough((request, response) => {
      const page = Number(new URL(request.url ?? "", "http://x").searchParams.get("page") ?? 0);
      const tags = Array.from({ length: 50_000 }, (_, index) => `t${page}-${index}`);
      send(response, 200, { link: `</v2/x/y/tags/list?page=${page + 1}>; rel="next"` }, JSON.stringify({ tags }));
    });
    const { status, stderr } = await daemon.docker(["pull", "-a", `${registry.host}/x/y`]);
    assert.deepEqual([status, stderr.trim()], [1, `Error response from daemon: the registry ${registry.host} lists without end`]);
    assert.ok(registry.seen.length < 50);
  });

  test("redirects: to another host without credentials, in a circle and to other schemes not; realms of others see none", async () => {
    const layer = gzipSync(tarOf({ a: "redirected" }));
    await using elsewhere = await rough((_request, response) => send(response, 200, {}, layer));
    const harbour = new Harbour();
    const to = (location: string): Answer => {
      return (_request, response) => send(response, 307, { location });
    };
    const config = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(tarOf({ a: "redirected" }))] } };
    harbour.shelf.imageOf(config, [harbour.shelf.blob(layer, gzipType)], "away");
    harbour.answers.set(digestOf(layer), to(`http://evil:evil@${elsewhere.host}/elsewhere`));
    const digest = harbour.with("circle", gzipSync(tarOf({ circle: "c" })));
    harbour.answers.set(digest, to(`/v2/x/y/blobs/${digest}?again=1`));
    harbour.with("file", gzipSync(tarOf({ file: "f" })), to("file:///etc/passwd"));
    harbour.with("gopher", gzipSync(tarOf({ gopher: "f" })), to("gopher://127.0.0.1/"));
    harbour.answers.set("manifest-circle", to("/v2/x/y/manifests/manifest-circle"));
    harbour.answers.set("manifest-file", to("file:///etc/passwd"));
    await using inner = await harbour.serve();
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    // The same with a password, and with a realm of somebody else's.
    await using registry = await rough(async (request, response) => {
      if (request.url?.includes("/foreign/") === true)
        return refuse(response, 401, "UNAUTHORIZED", "authentication required", {
          "www-authenticate": `Bearer realm="http://127.0.0.1.evil.invalid:${elsewhere.port}/token",service="s"`,
        });
      if (request.headers.authorization !== basic)
        return refuse(response, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": 'Basic realm="x"' });
      const answer = await fetch(`http://${inner.host}${request.url}`, { redirect: "manual" });
      const { location } = Object.fromEntries(answer.headers);
      const type = answer.headers.get("content-type") ?? "";
      return send(
        response,
        answer.status,
        { "content-type": type, ...(location === undefined ? {} : { location }) },
        Buffer.from(await answer.arrayBuffer()),
      );
    });
    writeFileSync(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from("me:secret").toString("base64") } } }),
    );
    const env = { DOCKER_CONFIG: folder };
    const pull = (name: string): ReturnType<Daemon["docker"]> => daemon.docker(["pull", `${registry.host}/x/${name}`], { env });
    const away = await pull("y:away");
    assert.equal(away.status, 0, away.stderr);
    assert.deepEqual(
      elsewhere.seen.map(({ method, url, headers }) => [method, url, headers.authorization]),
      [["GET", "/elsewhere", undefined]],
    );
    for (const [name, words] of [
      ["y:circle", /stopped after 10 redirects/],
      ["y:file", /^Get "file:\/\/\/etc\/passwd": unsupported protocol scheme "file"$/m],
      ["y:gopher", /unsupported protocol scheme "gopher"/],
      ["y:manifest-circle", /stopped after 10 redirects/],
      ["y:manifest-file", /^Error response from daemon: Get "file:\/\/\/etc\/passwd": unsupported protocol scheme "file"$/m],
      ["foreign/z:1", /unauthorized: the registry .* asks for credentials to be sent to 127\.0\.0\.1\.evil\.invalid/],
    ] as const) {
      const { status, stderr } = await pull(name);
      assert.equal(status, 1, name);
      assert.match(stderr, words, name);
      assert.ok(!stderr.includes("root:"), stderr);
    }
    assert.equal(elsewhere.seen.length, 1);
    await removeAll();
  });

  test("429: waited for as long as it says, in seconds or by date; for longer than a minute not", async () => {
    const harbour = new Harbour();
    const until: Record<string, () => string> = {
      seconds: () => "1",
      date: () => new Date(Date.now() + 1500).toUTCString(),
      long: () => "3600",
      "long-date": () => new Date(Date.now() + 3_600_000).toUTCString(),
    };
    for (const [tag, after] of Object.entries(until)) {
      const layer = gzipSync(tarOf({ [tag]: "x" }));
      const limit = (response: ServerResponse): void =>
        refuse(response, 429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", { "retry-after": after() });
      const config = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(tarOf({ [tag]: "x" }))] } };
      harbour.shelf.imageOf(config, [harbour.shelf.blob(layer, gzipType)], tag);
      const isLong = tag.startsWith("long");
      harbour.answers.set(digestOf(layer), (_request, response, count) =>
        isLong || count === 0 ? limit(response) : send(response, 200, {}, layer),
      );
      const { mediaType = "", bytes = "" } = harbour.shelf.manifests.get(tag) ?? {};
      if (!isLong)
        harbour.answers.set(tag, (_request, response, count) =>
          count === 0 ? limit(response) : send(response, 200, { "content-type": mediaType }, bytes),
        );
      else if (tag === "long-date") harbour.answers.set(tag, (_request, response) => limit(response));
    }
    await using registry = await harbour.serve();
    await Promise.all([
      ...["seconds", "date"].map((tag) => daemon.ok("pull", "-q", `${registry.host}/x/y:${tag}`)),
      refused(registry, {
        long: /^toomanyrequests: You have reached your pull rate limit\.$/m,
        "long-date": /^Error response from daemon: toomanyrequests: You have reached your pull rate limit\.$/m,
      }),
    ]);
    await removeAll();
  });

  test("stalls and bytes that trickle: other pulls go on, from there too; who waits may leave, and the next goes on from what came", async () => {
    const harbour = new Harbour();
    const layers = Array.from({ length: 8 }, (_, index) => gzipSync(tarOf({ [`f${index}`]: randomBytes(700_000) }), { level: 1 }));
    let isStuck = true;
    const open = new Set<ServerResponse>();
    const described = layers.map((layer, index) => {
      const descriptor = harbour.shelf.blob(layer, gzipType);
      const answer: Answer = (request, response) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const range = from > 0 ? { "content-range": `bytes ${from}-${layer.length - 1}/${layer.length}` } : {};
        response.writeHead(from > 0 ? 206 : 200, { "content-length": layer.length - from, ...range });
        if (!isStuck) return void response.end(layer.subarray(from));
        let at = 400_000;
        response.write(layer.subarray(0, at));
        open.add(response);
        const timer = setInterval(() => response.write(layer.subarray(at, ++at)), 100);
        response.on("close", () => clearInterval(timer));
        if (index % 2 === 0) clearInterval(timer);
      };
      harbour.answers.set(descriptor.digest, answer);
      return descriptor;
    });
    const diffIds = layers.map((layer) => digestOf(gunzipSync(layer)));
    harbour.shelf.imageOf({ ...amd64, rootfs: { type: "layers", diff_ids: diffIds } }, described, "stuck");
    harbour.shelf.image([busybox, tarOf({ a: randomBytes(700_000) })], amd64, "fine");
    await using registry = await harbour.serve();
    const other = new Shelf();
    other.image([busybox, tarOf({ a: randomBytes(700_000) }), tarOf({ b: randomBytes(700_000) })], amd64, "fine");
    await using elsewhere = await other.serve();
    const waiting = daemon.docker(["pull", `${registry.host}/x/y:stuck`], { timeoutMs: 6000 });
    await eventually("all layers to be stuck", async () => (open.size === layers.length ? true : undefined));
    await daemon.ok("pull", "-q", `${elsewhere.host}/x/y:fine`);
    await daemon.ok("pull", "-q", `${registry.host}/x/y:fine`);
    assert.notEqual((await waiting).status, 0, "ended from outside");
    await eventually("the transfers to end", async () => ([...open].every((response) => response.closed) ? true : undefined));
    assert.deepEqual(
      partials()
        .map(({ name }) => `sha256:${name}`)
        .sort(),
      described.map(({ digest }) => digest).sort(),
    );
    isStuck = false;
    await daemon.ok("pull", "-q", `${registry.host}/x/y:stuck`);
    const ranges = registry.seen.flatMap(({ headers }) => headers.range ?? []);
    assert.equal(ranges.filter((range) => Number(/\d+/.exec(range)) >= 400_000).length, layers.length, ranges.join());
    await removeAll();
  });

  test("layers that unpack to far more than they are: memory stays, others go on, and nothing is left of what lies", async () => {
    const harbour = new Harbour();
    const bytes = Number(process.env["BERTH_TEST_BOMB_MB"] ?? 150) * 1_000_000;
    const zeros = gzipSync(sampleTar({ name: "zeros", data: Buffer.alloc(bytes) }));
    const config = (diffId: string): object => ({ ...amd64, rootfs: { type: "layers", diff_ids: [diffId] } });
    harbour.shelf.imageOf(config(digestOf("another")), [harbour.shelf.blob(zeros, gzipType)], "zeros");
    // Behind the end of a tar anything may stand.
    const tail = gzipSync(Buffer.concat([tarOf({ a: "a" }), Buffer.alloc(bytes / 3, 1)]));
    harbour.shelf.imageOf(config(digestOf("another")), [harbour.shelf.blob(tail, gzipType)], "tail");
    harbour.shelf.image([busybox, tarOf({ a: "a" })], amd64, "fine");
    await using registry = await harbour.serve();
    assert.ok(zeros.length < bytes / 500);
    const growth = await growthOf(async () => {
      const bombs = refused(registry, { zeros: /^failed to register layer: invalid diffID/m, tail: /^failed to register layer: /m });
      await daemon.ok("pull", "-q", `${registry.host}/x/y:fine`);
      await bombs;
    });
    assert.ok(growth < 150, `${growth} MiB`);
    await removeAll();
  });

  test("layers whose names, links and devices lead out: refused, or inside the container", async () => {
    const sentinel = new Sentinel();
    const harbour = new Harbour();
    const image = (tag: string, ...entries: readonly SampleEntry[]): void => {
      harbour.shelf.image([busybox, sampleTar(...entries)], amd64, tag);
    };
    image("dots", { name: "../../../../../../x", data: "x" });
    image("dots-inside", { name: "etc/../../x", data: "x" });
    image("hard", { name: "l", type: "1", link: "../../../../etc/passwd" });
    image("whiteout", { name: "etc/.wh...", data: "" });
    image("kind", { name: "x", type: "Z" });
    image(
      "inside",
      { name: sentinel.path, type: "5", mode: 0o777 },
      { name: `${sentinel.path}/secret`, data: "of the layer" },
      { name: "out", type: "2", link: "/etc" },
      { name: "out/through", data: "through" },
      { name: "up", type: "2", link: "../../../.." },
      { name: "disk", type: "4", mode: 0o666, major: 8, minor: 0 },
      { name: "kmem", type: "3", mode: 0o666, major: 1, minor: 2 },
      { name: "fifo", type: "6" },
      { name: "hard", type: "1", link: "/out/through" },
      { name: "root", mode: 0o4755, data: "#!" },
    );
    await using registry = await harbour.serve();
    try {
      await refused(registry, {
        dots: /^failed to register layer: .*is outside of/m,
        "dots-inside": /^failed to register layer: .*is outside of/m,
        hard: /^failed to register layer: /m,
        whiteout: /^failed to register layer: /m,
        kind: /^failed to register layer: unhandled tar header type 90/m,
      });
      const run = ["run", "--rm", `${registry.host}/x/y:inside`, "sh", "-c"];
      const script = `cat ${sentinel.path}/secret; cat /etc/through; echo; head -c 1 /disk; head -c 1 /kmem; ls -ld /root | cut -c1-4`;
      const { stdout, stderr } = await daemon.docker([...run, script]);
      assert.equal(stdout, "of the layer\nthrough\n-rws\n".replace("layer\n", "layer"), stderr);
      assert.match(stderr, /\/disk: Operation not permitted\n.*\/kmem: Operation not permitted/);
      sentinel.assertUntouched();
      await removeAll();
    } finally {
      sentinel.remove();
    }
  });
});
