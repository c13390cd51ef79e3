/** One image through many hands: docker, skopeo and plain HTTP (as oras asks), both registries, each way to log in. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { digestOf } from "../../src/base/base.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { type Descriptor, mediaTypes } from "../../src/spec/spec.ts";
import { busyboxRootfs, command, Daemon } from "../daemon.ts";
import { debianRegistry, debianRegistryMissing } from "../debian-registry.ts";
import { TokenServer } from "../token-server.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth
const sailor = `Basic ${Buffer.from("sailor:berth").toString("base64")}`;
const amd64 = { os: "linux", architecture: "amd64" };
const accesses = ["anonymous", "basic", "token"] as const;
const skopeoMissing = (await command("sh", ["-c", "command -v skopeo"])).status === 0 ? false : "skopeo is not installed";
const busybox = await busyboxRootfs();

interface Setting extends AsyncDisposable {
  readonly host: string;
  /** Of a request that pushes to this repository. */
  authorization(repository: string): Promise<Record<string, string>>;
}

async function openSetting(whose: "Berth's" | "Docker's", access: (typeof accesses)[number]): Promise<Setting> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync("/var/tmp/berth-test-users-");
  stack.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "users");
  writeFileSync(file, `sailor:${password}\n`);
  const tokens = stack.use(await TokenServer.open());
  const { service, issuer } = TokenServer;
  let host: string;
  if (whose === "Berth's") {
    const options = {
      anonymous: {},
      basic: { access: { kind: "htpasswd", file, realm: "sea" } },
      token: { access: { kind: "token", realm: tokens.realm, service, issuer, keyFile: tokens.certFile } },
    } as const;
    host = `127.0.0.1:${stack.use(await ScratchRegistry.open(options[access])).port}`;
  } else {
    const options = { anonymous: "", basic: `auth:\n  htpasswd:\n    realm: sea\n    path: ${file}\n`, token: tokens.configuration };
    host = stack.use(await debianRegistry(options[access])).host;
  }
  const stays = stack.move();
  return {
    host,
    async authorization(repository) {
      if (access === "anonymous") return {};
      if (access === "basic") return { authorization: sailor };
      const scope = `${tokens.realm}?service=${service}&scope=repository:${repository}:pull,push`;
      const answer = await fetch(scope, { headers: { authorization: sailor } });
      return { authorization: `Bearer ${((await answer.json()) as { token: string }).token}` };
    },
    [Symbol.asyncDispose]: () => stays.disposeAsync(),
  };
}

/** A repository by the specification alone. */
class Repository {
  readonly #base: string;
  readonly #headers: Record<string, string>;

  constructor(host: string, path: string, headers: Record<string, string> = {}) {
    this.#base = `http://${host}/v2/${path}`;
    this.#headers = headers;
  }

  ask(path: string, method = "GET", body?: Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
    const sent = body === undefined ? {} : { body: new Uint8Array(body) };
    return fetch(`${this.#base}${path}`, { method, headers: { ...this.#headers, ...headers }, ...sent });
  }

  async push(bytes: Buffer, mediaType: string): Promise<Descriptor> {
    const digest = digestOf(bytes);
    if ((await this.ask(`/blobs/${digest}`, "HEAD")).status !== 200) {
      const begun = await this.ask("/blobs/uploads/", "POST");
      assert.equal(begun.status, 202);
      const at = new URL(begun.headers.get("location") ?? "", this.#base);
      at.searchParams.set("digest", digest);
      const headers = { ...this.#headers, "content-type": "application/octet-stream" };
      assert.equal((await fetch(at, { method: "PUT", headers, body: new Uint8Array(bytes) })).status, 201);
    }
    return { mediaType, digest, size: bytes.length };
  }

  async put(manifest: object, mediaType: string, reference?: string): Promise<{ digest: string; bytes: Buffer; answer: Response }> {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const answer = await this.ask(`/manifests/${reference ?? digestOf(bytes)}`, "PUT", bytes, { "content-type": mediaType });
    assert.equal(answer.status, 201, await answer.clone().text());
    return { digest: digestOf(bytes), bytes, answer };
  }

  async manifest(reference: string): Promise<{ bytes: Buffer; digest: string; mediaType: string }> {
    const accept = `${Object.values(mediaTypes).join(", ")}, */*`;
    const answer = await this.ask(`/manifests/${reference}`, "GET", undefined, { accept });
    assert.equal(answer.status, 200, reference);
    const bytes = Buffer.from(await answer.arrayBuffer());
    return { bytes, digest: digestOf(bytes), mediaType: answer.headers.get("content-type") ?? "" };
  }
}

let daemon: Daemon;
let folder: string;
before(async () => {
  daemon = await Daemon.start();
  folder = mkdtempSync("/var/tmp/berth-test-interoperation-");
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await daemon.close();
});

async function skopeo(...args: string[]): Promise<string> {
  const result = await command("skopeo", ["--insecure-policy", ...args]);
  assert.equal(result.status, 0, `skopeo ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}
const copy = (from: string, to: string, ...more: string[]): Promise<string> =>
  skopeo(
    "copy",
    "-q",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    "--src-daemon-host",
    daemon.host,
    "--dest-daemon-host",
    daemon.host,
    ...more,
    from,
    to,
  );

for (const whose of ["Berth's", "Docker's"] as const)
  describe(`${whose} registry`, { skip: whose === "Docker's" ? debianRegistryMissing : false, timeout: 240_000 }, () => {
    for (const access of accesses)
      test(`${access}: docker, skopeo and oras push and pull, and each finds the other's digests`, { skip: skopeoMissing }, async () => {
        await using setting = await openSetting(whose, access);
        const { host } = setting;
        const name = `${host}/team/box:1`;
        const config = join(folder, `${whose}-${access}`.replaceAll("'", ""));
        mkdirSync(config);
        const docker = async (...args: string[]): Promise<string> => {
          const { status, stdout, stderr } = await daemon.docker(args, { env: { DOCKER_CONFIG: config } });
          assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}`);
          return stdout;
        };
        assert.equal((await daemon.docker(["import", "-", name], { input: busybox })).status, 0);
        if (access !== "anonymous") {
          assert.match((await daemon.docker(["push", name])).stderr, /^(no basic auth credentials|unauthorized: |denied: )/);
          await docker("login", "-u", "sailor", "-p", "berth", host);
        }
        const digest = /digest: (sha256:\w+)/.exec(await docker("push", name))?.[1] ?? "";
        const id = await daemon.ok("image", "inspect", "-f", "{{.Id}}", name);
        const box = new Repository(host, "team/box", await setting.authorization("team/box"));
        assert.equal((await box.manifest("1")).digest, digest);

        const credentials = access === "anonymous" ? [] : ["--src-creds", "sailor:berth", "--dest-creds", "sailor:berth"];
        const archive = `oci-archive:${join(config, "image.tar")}:x:1`;
        const read = credentials.slice(0, 2);
        const write = credentials.slice(2);
        await copy(`docker://${name}`, `docker://${host}/team/copy:1`, ...credentials);
        await copy(`docker://${name}`, archive, ...read);
        await copy(archive, `docker://${host}/team/oci:1`, ...write);
        await copy(`docker://${host}/team/oci:1`, `oci:${config}/layout:x`, ...read);
        await copy(`oci:${config}/layout:x`, `docker://${host}/team/oci:2`, ...write);
        const at = async (path: string, tag: string): Promise<string> =>
          (await new Repository(host, path, await setting.authorization(path)).manifest(tag)).digest;
        assert.equal(await at("team/copy", "1"), digest);
        assert.equal(await at("team/oci", "2"), await at("team/oci", "1"));

        await daemon.ok("rmi", "-f", id);
        await docker("pull", "-q", `${host}/team/box@${digest}`);
        await docker("pull", "-q", `${host}/team/copy:1`);
        assert.equal(await daemon.ok("image", "inspect", "-f", "{{.Id}}", `${host}/team/copy:1`), id);
        await docker("pull", "-q", `${host}/team/oci:2`);
        await docker("tag", `${host}/team/oci:2`, `${host}/team/again:1`);
        await docker("push", "-q", `${host}/team/again:1`);
        assert.equal(await at("team/again", "1"), await at("team/oci", "1"), "what was pulled goes out as it came");
        const images = await daemon.ok("images", "-q", "--no-trunc");
        await daemon.ok("rmi", "-f", ...new Set(images.split("\n")));

        await artifacts(box, digest, whose === "Berth's");
      });

    for (const kind of ["docker", "oci"] as const)
      test(`gzip, zstd and plain layers in ${kind === "docker" ? "Docker's schema 2" : "OCI manifests"}`, async () => {
        await using setting = await openSetting(whose, "anonymous");
        const { host } = setting;
        const shelf = new Shelf(kind);
        const images = (["gzip", "zstd", "plain"] as const).map((layering) => {
          shelf.layering = layering;
          const tars = ["a", "b"].map((name) => tarOf({ [name]: layering }));
          return { layering, tars, ...shelf.image(tars, amd64, layering) };
        });
        await shelf.pushTo(`http://${host}`);
        for (const { layering, tars, digest, mediaType } of images) {
          const [name, copied] = [`${host}/x/y:${layering}`, `${host}/copies:${layering}`];
          await daemon.ok("pull", "-q", name);
          const layers = JSON.parse(await daemon.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name));
          assert.deepEqual(layers, tars.map(digestOf));
          await daemon.ok("tag", name, copied);
          await daemon.ok("push", "-q", copied);
          const there = await new Repository(host, "copies").manifest(layering);
          assert.deepEqual([there.digest, there.mediaType], [digest, mediaType]);
          await daemon.ok("rmi", name, copied);
          // Docker's formats have no name for zstd that skopeo knows.
          const isKnown = !(kind === "docker" && layering === "zstd");
          if (skopeoMissing === false && whose === "Berth's" && isKnown) await thereAndBack(host, `copies:${layering}`, digest);
        }
      });
  });

/** Out of a registry and into it again, as `back:1`. */
async function thereAndBack(host: string, name: string, digest: string): Promise<void> {
  await copy(`docker://${host}/${name}`, `dir:${folder}/dir`, "--preserve-digests");
  await copy(`dir:${folder}/dir`, `docker://${host}/back:1`, "--preserve-digests");
  assert.equal((await new Repository(host, "back").manifest("1")).digest, digest);
  rmSync(join(folder, "dir"), { recursive: true });
}

/** As oras attaches, discovers and pulls: OCI image-spec 1.1, "Guidance for artifacts". */
async function artifacts(box: Repository, subject: string, knowsReferrers: boolean): Promise<void> {
  const empty = await box.push(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const file = await box.push(Buffer.from("a bill of materials\n"), "text/plain");
  const { bytes, mediaType } = await box.manifest(subject);
  const about = { mediaType, digest: subject, size: bytes.length };
  const common = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, subject: about };
  const annotations = { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" };
  const artifactType = "application/x.sbom";
  const typed = await box.put({ ...common, artifactType, layers: [file], annotations }, mediaTypes.ociManifest);
  const bare = await box.put({ ...common, layers: [empty] }, mediaTypes.ociManifest, "bare");
  for (const { digest, bytes: sent } of [typed, bare]) assert.deepEqual((await box.manifest(digest)).bytes, sent);
  assert.equal(await (await box.ask(`/blobs/${file.digest}`)).text(), "a bill of materials\n");
  const listed = await box.ask(`/referrers/${subject}?artifactType=${encodeURIComponent(artifactType)}`);
  if (!knowsReferrers) {
    assert.equal(listed.status, 404);
    assert.equal(typed.answer.headers.get("oci-subject"), null);
    return;
  }
  assert.equal(typed.answer.headers.get("oci-subject"), subject);
  assert.equal(listed.headers.get("oci-filters-applied"), "artifactType");
  const { manifests } = (await listed.json()) as { manifests: unknown[] };
  assert.deepEqual(manifests, [
    { mediaType: mediaTypes.ociManifest, digest: typed.digest, size: typed.bytes.length, artifactType, annotations },
  ]);
}

test("a hundred layers by skopeo and by plain HTTP, at Berth's registry", { skip: skopeoMissing, timeout: 240_000 }, async () => {
  await using setting = await openSetting("Berth's", "anonymous");
  const shelf = new Shelf();
  const tars = Array.from({ length: 100 }, (_, at) => tarOf({ [`layer-${at}`]: String(at) }));
  const { digest } = shelf.image(tars, amd64, "deep");
  await shelf.pushTo(`http://${setting.host}`);
  await thereAndBack(setting.host, "x/y:deep", digest);
  const back = new Repository(setting.host, "back");
  const { layers } = JSON.parse((await back.manifest("1")).bytes.toString()) as { layers: Descriptor[] };
  for (const layer of layers)
    assert.equal(digestOf(Buffer.from(await (await back.ask(`/blobs/${layer.digest}`)).arrayBuffer())), layer.digest);
});

describe("skopeo and the daemon's socket", { skip: skopeoMissing, timeout: 120_000 }, () => {
  test("docker-daemon:, docker-archive:, oci: and oci-archive:, there and back, have equal digests", async () => {
    await using setting = await openSetting("Berth's", "anonymous");
    const shelf = new Shelf();
    shelf.image([busybox, tarOf({ a: "a" }), tarOf({ b: "b" })], amd64, "1");
    await shelf.pushTo(`http://${setting.host}`);
    const idOf = (name: string): Promise<string> => daemon.ok("image", "inspect", "-f", "{{.Id}} {{json .RootFS.Layers}}", name);
    const configOf = async (from: string): Promise<string> =>
      digestOf(Buffer.from(await skopeo("inspect", "--daemon-host", daemon.host, "--config", "--raw", from)));
    const manifestOf = async (from: string): Promise<string> =>
      digestOf(Buffer.from(await skopeo("inspect", "--daemon-host", daemon.host, "--raw", from)));
    await daemon.ok("pull", "-q", `${setting.host}/x/y:1`);
    await daemon.ok("tag", `${setting.host}/x/y:1`, "a:1");
    const first = await idOf("a:1");
    const way = [
      `docker-archive:${folder}/a.tar:b:1`,
      "docker-daemon:b:1",
      `oci:${folder}/layout:c`,
      "docker-daemon:c:1",
      `oci-archive:${folder}/oci.tar:d:1`,
      "docker-daemon:d:1",
      `oci:${folder}/layout:d`,
    ];
    let from = "docker-daemon:a:1";
    for (const to of way) {
      await copy(from, to);
      from = to;
    }
    // Of Docker's formats the configuration goes through as it is; for OCI's skopeo writes it anew, once.
    assert.equal(await idOf("b:1"), first);
    const oci = await idOf("c:1");
    assert.equal(oci.split(" ")[1], first.split(" ")[1]);
    assert.equal(await idOf("d:1"), oci);
    assert.equal(await configOf("docker-daemon:b:1"), first.split(" ")[0]);
    assert.equal(await configOf(`oci:${folder}/layout:c`), oci.split(" ")[0]);
    for (const same of [`oci:${folder}/layout:d`, `oci-archive:${folder}/oci.tar:d:1`])
      assert.equal(await manifestOf(same), await manifestOf(`oci:${folder}/layout:c`), same);
    await daemon.ok("rmi", "-f", first.split(" ")[0] ?? "", oci.split(" ")[0] ?? "");
  });
});
