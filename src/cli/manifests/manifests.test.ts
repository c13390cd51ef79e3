/** `berth manifest` beside docker's: the same words and files from the same registry, and each goes on with the other's. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { digestOf } from "../../base/digest-of.ts";
import { parseReference } from "../../base/reference.ts";
import type { Distribution } from "../../distribution/distribution.ts";
import { openDistribution } from "../../distribution/open.ts";
import { openRegistry, type RunningRegistry } from "../../registry/registry.ts";
import { mediaTypes } from "../../spec/spec.ts";
import { bundleClient, type ClientResult, runClient } from "../bundled-client.ts";

type Client = "docker" | "berth";

describe("berth manifest", () => {
  let folder: string;
  let host: string;
  let registry: RunningRegistry;
  let distribution: Distribution;

  before(async () => {
    folder = await mkdtemp("/tmp/berth-test-manifests-");
    await bundleClient(join(folder, "berth.cjs"));
    registry = await openRegistry({ root: join(folder, "registry"), address: { host: "127.0.0.1", port: 0 } });
    host = `127.0.0.1:${registry.port}`;
    distribution = await openDistribution({ root: join(folder, "transfers") });
    await putImage("amd", { architecture: "amd64", os: "linux" }, false);
    await putImage("arm", { architecture: "arm64", os: "linux", variant: "v8" }, false);
    await putImage("oci", { architecture: "amd64", os: "linux" }, true);
    await putImage("nameless", {}, true);
  });
  after(async () => {
    await distribution[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function putImage(name: string, platform: object, isOci: boolean): Promise<void> {
    const remote = distribution.remote(parseReference(`${host}/a/${name}:latest`));
    const layer = Buffer.from(`layer of ${name}`);
    const config = Buffer.from(JSON.stringify({ ...platform, config: {}, rootfs: { type: "layers", diff_ids: [digestOf(layer)] } }));
    for (const bytes of [layer, config])
      await remote.pushBlob({ digest: digestOf(bytes), size: bytes.length, open: (from) => Readable.from([bytes.subarray(from)]) });
    const [mediaType, ofConfig, ofLayer] = isOci
      ? [mediaTypes.ociManifest, mediaTypes.ociConfig, mediaTypes.ociLayer]
      : [mediaTypes.dockerManifest, mediaTypes.dockerConfig, mediaTypes.dockerLayer];
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: ofConfig, size: config.length, digest: digestOf(config) },
      layers: [{ mediaType: ofLayer, size: layer.length, digest: digestOf(layer) }],
    };
    await remote.putManifest("latest", mediaType, Buffer.from(JSON.stringify(manifest)));
  }

  const run = (client: Client, line: string, configuration: string = client): Promise<ClientResult> => {
    const args = ["manifest", ...line.replaceAll("H/", `${host}/a/`).split(" ")];
    return runClient(client, join(folder, "berth.cjs"), args, { env: { ...process.env, DOCKER_CONFIG: join(folder, configuration) } });
  };

  async function files(client: Client): Promise<[string, unknown][]> {
    const root = join(folder, client, "manifests");
    const found = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const paths = found.map((entry) => join(entry.parentPath, entry.name)).sort();
    return Promise.all(paths.map(async (path) => [path.slice(root.length), await readFile(path, "utf8")]));
  }

  const same = async (line: string): Promise<void> => {
    const [docker, berth] = await Promise.all([run("docker", line), run("berth", line)]);
    assert.deepEqual(berth, docker, line);
    assert.deepEqual(await files("berth"), await files("docker"), line);
  };

  test("says and does as docker", async () => {
    const lines = `create --insecure H/list H/amd H/arm
create --insecure H/list H/amd
create --insecure --amend H/list H/oci
inspect H/list
inspect -v H/list
inspect --insecure H/amd
inspect --insecure -v H/amd
inspect --insecure -v H/oci
inspect --insecure H/none
inspect H/list H/arm
inspect -v H/list H/arm
inspect H/list H/none
annotate H/list H/arm --variant v7 --os-features f --os-features g,f --os-version 1
annotate H/list H/arm --arch wrong
annotate H/list H/none --arch arm
annotate H/none H/none --arch arm
annotate UPPER H/none --arch arm
inspect H/list
push --insecure H/list
push --insecure -p H/list
push --insecure H/list
inspect --insecure H/list
inspect --insecure -v H/list
create --insecure H/other H/list
create --insecure H/other H/none
create --insecure H/index H/oci H/nameless
inspect H/index
push --insecure H/index
annotate H/index H/nameless --os linux --arch riscv64
push --insecure H/index
inspect --insecure H/index
create --insecure elsewhere H/oci H/arm
push elsewhere
rm elsewhere H/none H/index x/none
create --insecure UPPER H/oci
create --insecure H/list Upper`.split("\n");
    for (const line of lines) await same(line);
    const { content, mediaType } = await distribution.remote(parseReference(`${host}/a/index:latest`)).manifest();
    assert.equal(mediaType, mediaTypes.ociIndex);
    const architectures = content.kind === "index" ? content.index.manifests.map(({ platform }) => platform?.architecture) : [];
    assert.deepEqual(architectures, ["riscv64", "amd64"]);
  });

  test("each goes on with the other's lists", async () => {
    for (const [one, other] of [
      ["docker", "berth"],
      ["berth", "docker"],
    ] as const) {
      const list = `H/by-${one}`;
      assert.equal((await run(one, `create --insecure ${list} H/amd H/arm`, "shared")).status, 0);
      assert.deepEqual(await run(other, `annotate ${list} H/arm --variant v9`, "shared"), { status: 0, stdout: "", stderr: "" });
      assert.deepEqual(await run("berth", `inspect ${list}`, "shared"), await run("docker", `inspect ${list}`, "shared"));
      const pushed = await run(one, `push --insecure -p ${list}`, "shared");
      assert.equal(pushed.status, 0, pushed.stderr);
      assert.match(pushed.stdout, /\nsha256:[0-9a-f]{64}\n$/);
    }
  });
});
