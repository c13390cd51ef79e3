/** Images of several platforms with the docker client: archives, both registries, skopeo; the same digests everywhere. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Digest, digestOf, hexOf } from "../../src/base/base.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { type Descriptor, type ImageSummary, mediaTypes, type Platform } from "../../src/spec/spec.ts";
import { ask } from "../ask.ts";
import { busyboxRootfs, command, Daemon, projectRoot } from "../daemon.ts";
import { debianRegistry, debianRegistryMissing, type Running } from "../debian-registry.ts";

const platforms: readonly Platform[] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64", variant: "v8" },
  { os: "linux", architecture: "s390x" },
];
const foreign = platforms.slice(1);
/** All are this machine's busybox, whatever they say. */
const busybox = await busyboxRootfs();
const hasSkopeo = (await command("skopeo", ["--version"]).catch(() => undefined))?.status === 0;

function image(shelf: Shelf, platform: Platform): Descriptor {
  const tars = [busybox, tarOf({ platform: platform.architecture })];
  const layers = tars.map((tar, position) => shelf.layer(tar, position));
  const rootfs = { type: "layers", diff_ids: tars.map(digestOf) };
  const config = { ...platform, config: { Cmd: ["cat", "/platform"] }, rootfs, history: tars.map(() => ({ created_by: "tar" })) };
  return { ...shelf.imageOf(config, layers), platform };
}

function attestation(shelf: Shelf, subject: Descriptor): Descriptor {
  const statement = shelf.blob(Buffer.from(`{"predicateType":"https://slsa.dev/provenance/v1"}`), "application/vnd.in-toto+json");
  const rootfs = { type: "layers", diff_ids: [statement.digest] };
  return {
    ...shelf.imageOf({ architecture: "unknown", os: "unknown", rootfs }, [statement]),
    annotations: { "vnd.docker.reference.digest": subject.digest, "vnd.docker.reference.type": "attestation-manifest" },
    platform: { os: "unknown", architecture: "unknown" },
  };
}

/** Three platforms; or the first with an attestation, and the others in an index within the index. */
function sample(nested: boolean): { shelf: Shelf; index: Descriptor; images: readonly Descriptor[] } {
  const shelf = new Shelf();
  const images = platforms.map((platform) => image(shelf, platform));
  const [first, ...others] = images;
  assert.ok(first !== undefined);
  const entries = nested ? [first, attestation(shelf, first), shelf.index(others)] : images;
  return { shelf, images, index: shelf.index(entries) };
}

function layoutOf({ shelf, index }: { shelf: Shelf; index: Descriptor }, name: string): Buffer {
  const manifests = [...shelf.manifests].map(([digest, { bytes }]) => [digest, bytes] as const);
  const blobs = [...shelf.blobs, ...manifests].map(([digest, bytes]) => [`blobs/sha256/${hexOf(digest as Digest)}`, bytes] as const);
  const entry = { ...index, annotations: { "io.containerd.image.name": name } };
  return tarOf({
    "oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
    "index.json": JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }),
    ...Object.fromEntries(blobs),
  });
}

async function digestAt(host: string, path: string, reference: string): Promise<string> {
  const accept = Object.values(mediaTypes).join(", ");
  const answer = await fetch(`http://${host}/v2/${path}/manifests/${reference}`, { headers: { accept } });
  assert.equal(answer.status, 200, `${path}:${reference}`);
  return digestOf(Buffer.from(await answer.arrayBuffer()));
}

const text = ({ os, architecture, variant }: Platform): string => [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");

describe("several platforms under a name", { timeout: 180_000 }, () => {
  let daemon: Daemon;
  let folder: string;
  before(async () => {
    daemon = await Daemon.start();
    folder = mkdtempSync("/var/tmp/berth-test-platforms-");
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await daemon.close();
  });

  const load = async (archive: Uint8Array, ...args: string[]): Promise<string> => {
    writeFileSync(join(folder, "load.tar"), archive);
    return await daemon.ok("load", "-i", join(folder, "load.tar"), ...args);
  };
  const save = async (...args: string[]): Promise<Buffer> => {
    await daemon.ok("save", "-o", join(folder, "save.tar"), ...args);
    return readFileSync(join(folder, "save.tar"));
  };
  const refusal = async (...args: string[]): Promise<string> => {
    const { status, stderr } = await daemon.docker(args);
    assert.notEqual(status, 0, args.join(" "));
    return stderr;
  };

  test("each is run, inspected, saved, removed by --platform; lists show them", async () => {
    const { images, ...all } = sample(true);
    assert.equal(await load(layoutOf(all, "docker.io/library/x:1")), "Loaded image: x:1");
    assert.equal(await daemon.ok("run", "--rm", "x:1"), "amd64", "this machine's, unless asked");
    for (const platform of platforms) {
      const chosen = ["--platform", text(platform), "x:1"];
      assert.equal(await daemon.ok("run", "--rm", ...chosen), platform.architecture);
      assert.equal(await daemon.ok("image", "inspect", "-f", "{{.Architecture}}", ...chosen), platform.architecture);
      const id = await daemon.ok("image", "inspect", "-f", "{{.Id}}", ...chosen);
      assert.equal((await daemon.ok("history", "-q", "--no-trunc", ...chosen)).split("\n")[0], id);
    }
    const no = /x:1 was found but does not provide the specified platform \(linux\/mips\)/;
    for (const verb of [["image", "inspect"], ["history"], ["save", "-o", join(folder, "no.tar")], ["rmi"], ["create", "--pull", "never"]])
      assert.match(await refusal(...verb, "--platform", "linux/mips", "x:1"), no, verb.join(" "));
    await daemon.ok("create", "--name", "user", "--platform", "linux/s390x", "x:1");
    assert.equal(await daemon.ok("ps", "-a", "--format", "{{.Image}}", "--filter", "ancestor=x:1"), "x:1");
    const tree = await daemon.ok("images", "--tree");
    const rows = tree.split("\n").filter((line) => /[├└]─/.test(line));
    assert.deepEqual(
      rows.map((line) => line.split(/\s+/).slice(1, 3)),
      images.map(({ digest, platform }) => [text(platform as Platform), digest.slice(7, 19)]),
    );
    assert.match(rows[2] ?? "", /U *$/);
    const ourTree = async (): Promise<string> =>
      (await command(join(projectRoot, "berth"), ["images", "--tree"], { env: { DOCKER_HOST: daemon.host, HOME: folder } })).stdout.trim();
    assert.equal(await ourTree(), tree);
    assert.equal((await daemon.ok("images", "-q")).split("\n").length, 1);
    const [summary] = (await ask(daemon, "GET", "/images/json?manifests=1")).body as ImageSummary[];
    assert.deepEqual(
      summary?.Manifests?.map(({ Kind, Available }) => [Kind, Available]),
      [
        ["image", true],
        ["attestation", true],
        ["image", true],
        ["image", true],
      ],
    );
    const inspected = await ask(daemon, "GET", "/images/x:1/json?manifests=1");
    assert.deepEqual((inspected.body as { Manifests: unknown }).Manifests, summary?.Manifests);

    const saved = await save("x:1");
    assert.match(await refusal("rmi", "x:1"), /container [0-9a-f]+ is using its referenced image/);
    assert.match(await refusal("rmi", "--platform", "linux/s390x", "x:1"), /is being used by stopped container/);
    await daemon.ok("rm", "user");
    assert.match(await daemon.ok("rmi", "--platform", "linux/s390x", "x:1"), /^Deleted: sha256:/);
    assert.match(await refusal("run", "--rm", "--pull", "never", "--platform", "linux/s390x", "x:1"), /s390x/);
    assert.equal(await ourTree(), await daemon.ok("images", "--tree"), "one of them is not here");
    assert.match(await daemon.ok("rmi", "x:1"), /^Untagged: x:1\nDeleted: sha256:/);
    assert.equal(await daemon.ok("images", "-aq"), "");
    await load(saved);
    assert.ok((await save("x:1")).equals(saved), "the same bytes");
    await daemon.ok("rmi", "x:1");
    await load(saved, "--platform", "linux/arm64");
    assert.equal(await daemon.ok("run", "--rm", "x:1"), "arm64", "the best there is");
    assert.equal(await daemon.ok("image", "prune", "-af", "--filter", "label=none"), "Total reclaimed space: 0B");
    assert.match(await daemon.ok("image", "prune", "-af"), /untagged: x:1/);
    assert.deepEqual((await daemon.ok("system", "df", "--format", "{{.Size}}")).split("\n")[0], "0B");
  });

  async function roundTrip(from: Running, to: Running): Promise<void> {
    const { images, ...all } = sample(true);
    const digest = all.index.digest;
    const names = [`${from.host}/a/b:1`, `${to.host}/c:2`] as const;
    await load(layoutOf(all, names[0]));
    const saved = await save(names[0]);
    assert.match(await daemon.ok("push", names[0]), new RegExp(`\n1: digest: ${digest} size: ${all.index.size}$`));
    assert.equal(await digestAt(from.host, "a/b", "1"), digest);
    await daemon.ok("rmi", names[0]);
    await daemon.ok("pull", "--platform", "all", names[0]);
    assert.ok((await save(names[0])).equals(saved));
    await daemon.ok("tag", names[0], names[1]);
    await daemon.ok("push", "-q", names[1]);
    for (const [reference, expected] of [["2", digest], ...images.map((one) => [one.digest, one.digest])] as const)
      assert.equal(await digestAt(to.host, "c", reference ?? ""), expected);
    assert.equal(
      await daemon.ok("inspect", "-f", "{{json .RepoDigests}}", names[1]),
      JSON.stringify([`${from.host}/a/b@${digest}`, `${to.host}/c@${digest}`].sort()),
    );
    await daemon.ok("rmi", ...names);

    // Platform by platform: what is here goes out, and the index when all of it has come.
    const plain = sample(false);
    await plain.shelf.pushTo(`http://${from.host}`);
    const [source, target] = [`${from.host}/x/y@${plain.index.digest}`, `${to.host}/d/e:3`] as const;
    for (const [position, { digest: expected, platform }] of plain.images.entries()) {
      await daemon.ok("pull", "-q", "--platform", text(platform as Platform), source);
      await daemon.ok("tag", source, target);
      const told = await daemon.ok("push", target);
      const isWhole = position === foreign.length;
      assert.equal(/available single-platform image was pushed/.test(told), !isWhole, told);
      assert.equal(await digestAt(to.host, "d/e", "3"), isWhole ? plain.index.digest : plain.images[0]?.digest);
      await daemon.ok("push", "-q", "--platform", text(platform as Platform), target);
      assert.equal(await digestAt(to.host, "d/e", "3"), expected);
    }
    await daemon.ok("push", "-q", target);
    await daemon.ok("rmi", target, source);
    if (!hasSkopeo) return;
    const archive = join(folder, "skopeo.tar");
    const copy = ["--all", "--src-tls-verify=false", `docker://${target}`, `oci-archive:${archive}:${target}`];
    const { status, stderr } = await command("skopeo", ["--insecure-policy", "copy", ...copy]);
    assert.equal(status, 0, stderr);
    assert.equal(await daemon.ok("load", "-i", archive), `Loaded image: ${target}`);
    await daemon.ok("tag", target, `${from.host}/skopeo:1`);
    await daemon.ok("push", "-q", `${from.host}/skopeo:1`);
    assert.equal(await digestAt(from.host, "skopeo", "1"), plain.index.digest);
    await daemon.ok("rmi", target, `${from.host}/skopeo:1`);
    rmSync(archive);
  }

  test("load, push to Berth's registry, pull, push on to Docker's, and the other way", { skip: debianRegistryMissing }, async () => {
    await using berth = await ScratchRegistry.open();
    await using debian = await debianRegistry();
    const ours: Running = { host: `127.0.0.1:${berth.port}`, [Symbol.asyncDispose]: async () => undefined };
    await roundTrip(ours, debian);
    await roundTrip(debian, ours);
  });
});
