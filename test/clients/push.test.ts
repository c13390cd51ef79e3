/** `docker push` to Berth's own registry and to Docker's, and skopeo between these, archives and the daemon. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../../src/base/base.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { type ImageManifest, mediaTypes } from "../../src/spec/spec.ts";
import { busyboxRootfs, command, Daemon, eventually, importBusybox } from "../daemon.ts";
import { debianRegistry, debianRegistryMissing, type Running } from "../debian-registry.ts";
import { TokenServer } from "../token-server.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth
const amd64 = { os: "linux", architecture: "amd64" };

async function berthRegistry(): Promise<Running> {
  const registry = await ScratchRegistry.open();
  return { host: `127.0.0.1:${registry.port}`, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

const registries: [string, () => Promise<Running>, string | false][] = [
  ["Berth's registry", berthRegistry, false],
  ["Docker's registry, of Debian", debianRegistry, debianRegistryMissing],
];

async function refusal(daemon: Daemon, ...args: string[]): Promise<string> {
  const { status, stderr } = await daemon.docker(args);
  assert.equal(status, 1, args.join(" "));
  return stderr.trim();
}

/** What a registry has under a name, to the byte. */
async function manifestOf(
  host: string,
  path: string,
  reference: string,
): Promise<{ digest: string; mediaType: string; content: ImageManifest }> {
  const accept = Object.values(mediaTypes).join(", ");
  const answer = await fetch(`http://${host}/v2/${path}/manifests/${reference}`, { headers: { accept } });
  assert.equal(answer.status, 200, `${path}:${reference}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  return {
    digest: digestOf(bytes),
    mediaType: answer.headers.get("content-type") ?? "",
    content: JSON.parse(bytes.toString()) as ImageManifest,
  };
}

/** An image of busybox and three layers on top of it, each made by a container. */
async function buildImage(daemon: Daemon, name: string): Promise<void> {
  await importBusybox(daemon);
  let from = "busybox";
  for (const step of ["one", "two", "three"]) {
    await daemon.ok("run", "--name", step, from, "sh", "-c", `head -c 3000000 /dev/urandom > /${step}`);
    await daemon.ok("commit", step, name);
    await daemon.ok("rm", step);
    from = name;
  }
}

const layersOf = async (daemon: Daemon, name: string): Promise<string[]> =>
  JSON.parse(await daemon.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name)) as string[];
const idOf = (daemon: Daemon, name: string): Promise<string> => daemon.ok("image", "inspect", "-f", "{{.Id}}", name);
const short = (diffId: string): string => diffId.slice(7, 19);

describe("push", { timeout: 240_000 }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await buildImage(daemon, "built");
  });
  after(() => daemon.close());

  for (const [title, open, missing] of registries)
    describe(title, { skip: missing }, () => {
      let registry: Running;
      before(async () => {
        registry = await open();
      });
      after(() => registry[Symbol.asyncDispose]());

      test("an image that was made here, again, and elsewhere in the registry", async () => {
        const name = `${registry.host}/some/box`;
        const since = Math.floor(Date.now() / 1000);
        await daemon.ok("tag", "built", `${name}:v1`);
        const layers = await layersOf(daemon, "built");
        const lines = (await daemon.ok("push", `${name}:v1`)).split("\n");
        assert.equal(lines[0], `The push refers to repository [${name}]`);
        assert.deepEqual(
          lines.slice(1, 5),
          layers.toReversed().map((id) => `${short(id)}: Preparing`),
        );
        for (const id of layers) assert.ok(lines.includes(`${short(id)}: Pushed`), lines.join("\n"));
        const { digest, mediaType, content } = await manifestOf(registry.host, "some/box", "v1");
        assert.equal(mediaType, mediaTypes.dockerManifest);
        assert.match(lines.at(-1) ?? "", new RegExp(`^v1: digest: ${digest} size: \\d+$`));
        assert.equal(content.config.digest, await idOf(daemon, "built"));
        assert.match(await daemon.ok("inspect", "-f", "{{json .RepoDigests}}", `${name}:v1`), new RegExp(`"${name}@${digest}"`));
        const events = await daemon.ok(
          "events",
          "--since",
          String(since),
          "--until",
          String(Math.ceil(Date.now() / 1000) + 1),
          "-f",
          "event=push",
          "--format",
          "{{.Type}} {{.Actor.Attributes.name}}",
        );
        assert.equal(events, `image ${name}`);

        const again = await daemon.ok("push", `${name}:v1`);
        for (const id of layers) assert.ok(again.includes(`${short(id)}: Layer already exists`), again);
        assert.equal(again.split("\n").at(-1), lines.at(-1));
        await daemon.ok("tag", "built", `${registry.host}/other:v2`);
        const mounted = await daemon.ok("push", `${registry.host}/other:v2`);
        for (const id of layers) assert.ok(mounted.includes(`${short(id)}: Mounted from some/box`), mounted);
        assert.equal((await manifestOf(registry.host, "other", "v2")).digest, digest);

        const id = await idOf(daemon, "built");
        await daemon.ok("save", "-o", join(daemon.dataRoot, "built.tar"), "built");
        await daemon.ok("rmi", "-f", id);
        await daemon.ok("pull", "-q", `${name}:v1`);
        assert.equal(await idOf(daemon, `${name}:v1`), id);
        assert.equal(await daemon.ok("run", "--rm", `${name}:v1`, "sh", "-c", "cat /one /two /three | wc -c"), "9000000");
        await daemon.ok("tag", `${name}:v1`, "built");
        rmSync(join(daemon.dataRoot, "built.tar"));
      });

      test("what was pulled goes out with the same digests: gzip, zstd and plain layers", async () => {
        const shelf = new Shelf();
        const tars = [await busyboxRootfs(), tarOf({ a: randomBytes(500_000) }), tarOf({ b: "b" })];
        const image = shelf.image(tars, amd64, "one");
        const index = shelf.index([{ ...image, platform: amd64 }], "index");
        await using from = await shelf.serve();
        for (const [tag, { digest, mediaType }] of [
          ["one", image],
          ["index", index],
        ] as const) {
          await daemon.ok("pull", "-q", `${from.host}/x/y:${tag}`);
          await daemon.ok("tag", `${from.host}/x/y:${tag}`, `${registry.host}/copied:${tag}`);
          await daemon.ok("push", "-q", `${registry.host}/copied:${tag}`);
          const there = await manifestOf(registry.host, "copied", tag);
          assert.deepEqual([there.digest, there.mediaType], [digest, mediaType]);
          await daemon.ok("rmi", `${from.host}/x/y:${tag}`, `${registry.host}/copied:${tag}`);
        }
      });

      test("all tags, quietly, of a platform; and what cannot be pushed", async () => {
        const name = `${registry.host}/all`;
        for (const tag of ["a", "b"]) await daemon.ok("tag", "built", `${name}:${tag}`);
        const all = await daemon.ok("push", "-a", name);
        assert.match(all, /\na: digest: sha256:\w+ size: \d+\n[\s\S]*\nb: digest: sha256:/);
        assert.equal(await daemon.ok("push", "-q", `${name}:a`), `${name}:a`);
        assert.match(await daemon.ok("push", "--platform", "linux/amd64", `${name}:a`), /a: digest: /);
        assert.match(
          await refusal(daemon, "push", "--platform", "linux/s390x", `${name}:a`),
          /was found but its platform \(linux\/amd64\) does not match the specified platform \(linux\/s390x\)/,
        );
        assert.equal(await refusal(daemon, "push", `${name}:c`), `tag does not exist: ${name}:c`);
        assert.equal(
          await refusal(daemon, "push", `${registry.host}/none`),
          `An image does not exist locally with the tag: ${registry.host}/none`,
        );
        assert.match(await refusal(daemon, "push", "scratch"), /'scratch' is a reserved name/);
        await daemon.ok("rmi", `${name}:a`, `${name}:b`);
      });

      test("a hundred layers", async () => {
        const shelf = new Shelf();
        const tars = [await busyboxRootfs(), ...Array.from({ length: 99 }, (_, at) => tarOf({ [`layer-${at}`]: String(at) }))];
        const image = shelf.image(tars, amd64, "deep");
        await using from = await shelf.serve();
        const name = `${registry.host}/deep:1`;
        await daemon.ok("pull", "-q", `${from.host}/x/y:deep`);
        await daemon.ok("tag", `${from.host}/x/y:deep`, name);
        assert.equal((await daemon.ok("push", name)).match(/: Pushed$/gm)?.length, 100);
        assert.equal((await manifestOf(registry.host, "deep", "1")).digest, image.digest);
        await daemon.ok("rmi", name, `${from.host}/x/y:deep`);
        await daemon.ok("pull", "-q", name);
        assert.equal(await daemon.ok("run", "--rm", name, "sh", "-c", "cat /layer-* | wc -c"), "188");
        await daemon.ok("rmi", name);
      });
    });

  test("nobody there; a registry that knows neither name nor password, and one that does", async () => {
    const folder = mkdtempSync("/var/tmp/berth-test-push-");
    try {
      await daemon.ok("tag", "built", "127.0.0.1:1/x");
      assert.match(
        await refusal(daemon, "push", "127.0.0.1:1/x"),
        /^Get "https?:\/\/127\.0\.0\.1:1\/v2\/": dial tcp 127\.0\.0\.1:1: connect: connection refused$/,
      );
      writeFileSync(join(folder, "users"), `sailor:${password}\n`);
      await using registry = await ScratchRegistry.open({ access: { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } });
      const name = `127.0.0.1:${registry.port}/x:1`;
      await daemon.ok("tag", "built", name);
      assert.match(await refusal(daemon, "push", name), /^(no basic auth credentials|unauthorized: .*)$/);
      const env = { DOCKER_CONFIG: folder };
      const login = await daemon.docker(["login", "-u", "sailor", "--password-stdin", `127.0.0.1:${registry.port}`], {
        env,
        input: "berth",
      });
      assert.equal(login.status, 0, login.stderr);
      const pushed = await daemon.docker(["push", name], { env });
      assert.equal(pushed.status, 0, pushed.stderr);
      await daemon.ok("rmi", name, "127.0.0.1:1/x");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("tokens: asked for with the password, for what is pushed and for what is mounted", async () => {
    const folder = mkdtempSync("/var/tmp/berth-test-push-");
    await using tokens = await TokenServer.open();
    try {
      const { service, issuer } = TokenServer;
      const access = { kind: "token", realm: tokens.realm, service, issuer, keyFile: tokens.certFile } as const;
      await using registry = await ScratchRegistry.open({ access });
      const host = `127.0.0.1:${registry.port}`;
      const auth = Buffer.from("sailor:berth").toString("base64");
      writeFileSync(join(folder, "config.json"), JSON.stringify({ auths: { [host]: { auth } } }));
      const env = { DOCKER_CONFIG: folder };
      await daemon.ok("tag", "built", `${host}/a/b:1`);
      assert.match(await refusal(daemon, "push", `${host}/a/b:1`), /unauthorized|denied/);
      const pushed = await daemon.docker(["push", `${host}/a/b:1`], { env });
      assert.equal(pushed.status, 0, pushed.stderr);
      await daemon.ok("tag", "built", `${host}/c:1`);
      const mounted = await daemon.docker(["push", `${host}/c:1`], { env });
      assert.match(mounted.stdout, /Mounted from a\/b/, mounted.stderr);
      assert.ok(tokens.asked.every(({ authorization }) => authorization === undefined || authorization === `Basic ${auth}`));
      assert.ok(tokens.asked.some(({ scopes }) => scopes.includes("repository:c:pull,push") && scopes.includes("repository:a/b:pull")));
      await daemon.ok("rmi", `${host}/a/b:1`, `${host}/c:1`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** A way to a registry that lets so many bytes through, and then nothing more. */
class Strait implements AsyncDisposable {
  left: number = Number.POSITIVE_INFINITY;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#join(client));
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  static async to(port: number): Promise<Strait> {
    const strait = new Strait(port);
    await new Promise<void>((resolve) => strait.#server.listen(0, "127.0.0.1", resolve));
    return strait;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #join(client: Socket): void {
    const registry = connect(this.#port, "127.0.0.1");
    for (const [one, other] of [
      [client, registry],
      [registry, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    registry.on("data", (chunk) => client.write(chunk));
    client.on("data", (chunk) => {
      this.left -= chunk.length;
      if (this.left >= 0) registry.write(chunk);
      else client.pause();
    });
  }

  get isClosed(): boolean {
    return this.left < 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe("a push that is cut off", { timeout: 240_000 }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await buildImage(daemon, "built");
  });
  after(() => daemon.close());

  const remains = (): string[] => readdirSync(join(daemon.dataRoot, "content/ingest"));

  test("by a client that goes: the next one goes on with what is missing", async () => {
    await using registry = await ScratchRegistry.open();
    await using strait = await Strait.to(registry.port);
    const name = `${strait.host}/x:1`;
    await daemon.ok("tag", "built", name);
    strait.left = 8_000_000;
    const aborted = daemon.docker(["push", name], { timeoutMs: 5000 });
    await eventually("the strait to be full", async () => strait.isClosed || undefined);
    assert.notEqual((await aborted).status, 0);
    await eventually("the end of the work", async () => (remains().length === 0 ? true : undefined));
    strait.left = Number.POSITIVE_INFINITY;
    const pushed = await daemon.ok("push", name);
    assert.match(pushed, /Layer already exists/);
    assert.match(pushed, /: Pushed/);
    assert.equal((await manifestOf(strait.host, "x", "1")).content.config.digest, await idOf(daemon, name));
    await daemon.ok("rmi", name);
  });

  test("by a daemon that is killed, at eight moments: nothing is left over, the digest is the same", async () => {
    const digests = new Set<string>();
    for (let round = 0; round < 8; round++) {
      await using registry = await ScratchRegistry.open();
      const host = `127.0.0.1:${registry.port}`;
      // Another image each time: there is something to compress.
      await daemon.ok("run", "--name", "more", "built", "sh", "-c", `yes ${round} | head -c 20000000 > /more`);
      await daemon.ok("commit", "more", `${host}/x:1`);
      await daemon.ok("rm", "more");
      const cut = daemon.docker(["push", `${host}/x:1`]);
      await sleep(round * 60);
      await daemon.kill("SIGKILL");
      await cut;
      await daemon.restart();
      assert.deepEqual(remains(), []);
      const pushed = await daemon.ok("push", `${host}/x:1`);
      digests.add(/digest: (sha256:\w+)/.exec(pushed)?.[1] ?? "");
      const { content, digest } = await manifestOf(host, "x", "1");
      assert.ok(digests.has(digest));
      assert.equal(content.config.digest, await idOf(daemon, `${host}/x:1`));
      await daemon.ok("rmi", `${host}/x:1`);
    }
    assert.equal(digests.size, 8);
    // Of busybox and the three steps their configurations and layers, and the manifest that the last was pushed as before.
    assert.equal(readdirSync(join(daemon.dataRoot, "content/sha256")).length, 4 + 4 + 1);
  });
});

const skopeoMissing =
  (await command("sh", ["-c", "command -v skopeo"])).status === 0 ? false : "skopeo is not installed (apt-get install skopeo)";

describe("skopeo", { skip: skopeoMissing, timeout: 240_000 }, () => {
  let daemon: Daemon;
  let folder: string;
  before(async () => {
    daemon = await Daemon.start();
    folder = mkdtempSync("/var/tmp/berth-test-skopeo-");
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await daemon.close();
  });

  const copy = async (from: string, to: string): Promise<void> => {
    const options = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    if (from.startsWith("docker-daemon:")) options.push("--src-daemon-host", daemon.host);
    if (to.startsWith("docker-daemon:")) options.push("--dest-daemon-host", daemon.host);
    const result = await command("skopeo", ["--insecure-policy", "copy", "-q", ...options, from, to]);
    assert.equal(result.status, 0, `skopeo copy ${from} ${to}: ${result.stderr}`);
  };

  for (const [title, open, missing] of registries)
    test(`${title}, docker-daemon, docker-archive and OCI layout, and back`, { skip: missing }, async () => {
      await using registry = await open();
      const host = registry.host;
      await buildImage(daemon, "built");
      await daemon.ok("tag", "built", `${host}/a:1`);
      await daemon.ok("push", `${host}/a:1`);
      const id = await idOf(daemon, "built");
      const pushed = await manifestOf(host, "a", "1");
      const layers = await layersOf(daemon, "built");
      await daemon.ok("rmi", "-f", id);
      // What we pushed, to an OCI layout and back, as it was.
      await copy(`docker://${host}/a:1`, `oci:${folder}/layout:a`);
      await copy(`docker://${host}/a:1`, `dir:${folder}/dir`);
      await copy(`dir:${folder}/dir`, `docker://${host}/b:1`);
      assert.equal((await manifestOf(host, "b", "1")).digest, pushed.digest);
      await copy(`oci:${folder}/layout:a`, `docker://${host}/c:1`);
      const asOci = await manifestOf(host, "c", "1");
      assert.equal(asOci.mediaType, mediaTypes.ociManifest);
      assert.deepEqual(
        asOci.content.layers.map((layer) => layer.digest),
        pushed.content.layers.map((layer) => layer.digest),
      );
      // Through the daemon. On the way to OCI skopeo writes another configuration.
      const converted = asOci.content.config.digest;
      for (const [name, expected] of [
        ["a", id],
        ["c", converted],
      ] as const) {
        await copy(`docker://${host}/${name}:1`, "docker-daemon:copied:1");
        assert.equal(await idOf(daemon, "copied:1"), expected);
        assert.deepEqual(await layersOf(daemon, "copied:1"), layers);
        await copy("docker-daemon:copied:1", `docker-archive:${folder}/archive.tar:archived:1`);
        await daemon.ok("rmi", "copied:1");
        await copy(`docker-archive:${folder}/archive.tar`, "docker-daemon:archived:1");
        assert.equal(await idOf(daemon, "archived:1"), expected);
        await copy("docker-daemon:archived:1", `docker://${host}/from-daemon:${name}`);
        assert.equal((await manifestOf(host, "from-daemon", name)).content.config.digest, expected);
        await daemon.ok("rmi", "archived:1");
        rmSync(join(folder, "archive.tar"));
      }
      // Pulled as OCI, pushed as OCI.
      await daemon.ok("pull", "-q", `${host}/c:1`);
      assert.equal(await idOf(daemon, `${host}/c:1`), converted);
      await daemon.ok("tag", `${host}/c:1`, `${host}/d:1`);
      await daemon.ok("push", "-q", `${host}/d:1`);
      assert.equal((await manifestOf(host, "d", "1")).digest, asOci.digest);
      await daemon.ok("rmi", "-f", converted);
      for (const name of ["layout", "dir"]) rmSync(join(folder, name), { recursive: true });
    });
});
