import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { blobOf, refuse, rough, type Scratch, scratch, send } from "./rough-registry.ts";

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: { mediaType: "application/vnd.docker.container.image.v1+json", digest: `sha256:${"0".repeat(64)}`, size: 1 },
  layers: [],
});
const type = { "content-type": "application/vnd.docker.distribution.manifest.v2+json" };
const blob = blobOf(1000);
const password = { kind: "password", username: "sailor", password: "secret" } as const;

interface World extends AsyncDisposable {
  readonly setting: Scratch;
  /** Writes a host's hosts.toml. */
  hosts(name: string, text: string): Promise<string>;
}

async function world(): Promise<World> {
  const setting = await scratch();
  return {
    setting,
    async hosts(name, text) {
      const folder = join(setting.folder, "certs.d", name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "hosts.toml"), text);
      return folder;
    },
    [Symbol.asyncDispose]: () => setting[Symbol.asyncDispose](),
  };
}

describe("hosts.toml", () => {
  test("mirrors in the file's order, by what they can do, then the registry; only that one gets credentials", async () => {
    await using here = await world();
    await using broken = await rough((_, response) => refuse(response, 503, "UNAVAILABLE", ""));
    await using pulling = await rough((request, response) => {
      if (request.url?.includes("/blobs/")) return send(response, 200, {}, blob.bytes);
      return send(response, 200, type, manifest);
    });
    await using registry = await rough((request, response) => {
      if (request.headers.authorization === undefined)
        return refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": 'Basic realm="x"' });
      return send(response, 200, type, manifest);
    });
    await here.hosts(
      registry.host.replace(/:(\d+)$/, "_$1_"),
      `[host."http://${broken.host}"]
         capabilities = ["resolve"]
       [host."http://${pulling.host}/some/place/"]
         capabilities = ["pull"]
         [host."http://${pulling.host}/some/place/".header]
           authorization = "Bearer configured"
           x-two = ["a", "b"]`,
    );
    const remote = here.setting.remote(`${registry.host}/a`, password);
    await remote.manifest();
    assert.deepEqual(Buffer.from(await remote.readBlob(blob)), blob.bytes);
    const ns = `ns=${encodeURIComponent(registry.host)}`;
    assert.ok(broken.seen.length > 0);
    assert.ok(broken.seen.every(({ url, headers }) => url === `/v2/a/manifests/latest?${ns}` && headers.authorization === undefined));
    assert.deepEqual(
      pulling.seen.map(({ url, headers }) => [url, headers.authorization, headers["x-two"]]),
      [[`/some/place/v2/a/blobs/${blob.digest}?${ns}`, "Bearer configured", "a, b"]],
    );
    assert.equal(registry.seen.at(-1)?.headers.authorization, `Basic ${Buffer.from("sailor:secret").toString("base64")}`);
    assert.ok(registry.seen.every(({ url }) => url === "/v2/a/manifests/latest"));
  });

  test("a server in place of the registry gets no credentials; paths as they are given; _default", async () => {
    await using here = await world();
    await using server = await rough((_, response) => send(response, 200, type, manifest));
    await here.hosts("_default", `server = "http://${server.host}/proxy"\noverride_path = true`);
    await here.setting.remote("registry.invalid/a", password).manifest();
    await here.setting.remote("busybox", password).manifest();
    await here.hosts("registry.invalid", `server = "http://${server.host}/x/v2"`);
    await here.setting.remote("registry.invalid/a", password).manifest();
    assert.deepEqual(
      server.seen.map(({ url }) => url),
      [
        "/proxy/a/manifests/latest?ns=registry.invalid",
        "/proxy/library/busybox/manifests/latest?ns=docker.io",
        "/x/v2/a/manifests/latest?ns=registry.invalid",
      ],
    );
    assert.ok(server.seen.every(({ headers }) => headers.authorization === undefined));
  });

  test("pushes go where it says so, and else to the registry", async () => {
    await using here = await world();
    const taking = (): Promise<Awaited<ReturnType<typeof rough>>> => rough((_, response) => send(response, 201, {}));
    await using registry = await taking();
    await using mirror = await taking();
    const push = (): Promise<unknown> =>
      here.setting.remote(`${registry.host}/a`, password).putManifest("1", type["content-type"], Buffer.from(manifest));
    await here.hosts(registry.host, `[host."http://${mirror.host}"]`);
    await push();
    assert.deepEqual([registry.seen.length > 0, mirror.seen.length], [true, 0]);
    registry.seen.length = 0;
    await here.hosts(registry.host, `[host."http://${mirror.host}"]\ncapabilities = ["push"]`);
    await push();
    assert.deepEqual([registry.seen.length, mirror.seen.map(({ method }) => method)], [0, ["PUT"]]);
  });

  test("what is wrong is an error of that pull, and says where", async () => {
    await using here = await world();
    for (const [text, why] of [
      ["server = ", "line 1: Invalid TOML document: invalid value"],
      ["servers = 1", "unknown key servers"],
      ["server = 1", "server is no string"],
      ['[host."a"]\npush = true', 'unknown key host."a".push'],
      ["[host]\na = 1", 'host."a" is no table'],
      ["header = 1979-05-27", "header is no table"],
      ['capabilities = ["write"]', 'capabilities: there is no "write"'],
      ['skip_verify = "yes"', "skip_verify is neither true nor false"],
      ['dial_timeout = "1"', 'dial_timeout: "1" is no duration'],
      ['[host."ftp://a"]', '"ftp://a" is no address of a host'],
      ['[host."https://a?x=1"]', '"https://a?x=1" has a query or a fragment'],
      ['[host."https://u:p@a"]', "an address has credentials: they belong into header"],
      ['[header]\n"a b" = "x"', "header.a b is no header"],
      ['[header]\na = "x\\ny"', "header.a is no header"],
      ['ca = "missing.pem"', /^open .*\/certs\.d\/registry\.invalid\/missing\.pem: ENOENT$/],
      ["client = []", "client is no file, and no list of files or of pairs of files"],
    ] as const) {
      const folder = await here.hosts("registry.invalid", text);
      await assert.rejects(here.setting.remote("registry.invalid/a").manifest(), (error: { code: string; message: string }) => {
        const start = `failed to load ${folder}/hosts.toml: `;
        assert.ok(error.message.startsWith(start), error.message);
        const said = error.message.slice(start.length);
        if (typeof why === "string") assert.equal(said, why);
        else assert.match(said, why);
        return error.code === "System";
      });
    }
    await here.hosts("registry.invalid", 'capabilities = ["push"]');
    await assert.rejects(here.setting.remote("registry.invalid/a").manifest(), /no host for registry.invalid with the capability resolve/);
  });
});
