/** Several platforms under a name: loaded together or not at all, pulled one after the other, removed together. */
import assert from "node:assert/strict";
import type { ImageSummary } from "../../src/spec/spec.ts";
import { assertEmpty, audit } from "./audit.ts";
import { note, type Scenario } from "./scenario.ts";
import type { Stand } from "./stand.ts";

/** What is here of the index: `amd64`, …, `unknown` for the attestation. */
async function here(stand: Stand): Promise<string[]> {
  const [image] = await stand.json<ImageSummary[]>("GET", "/images/json?manifests=1");
  const found = (image?.Manifests ?? []).filter(({ Available }) => Available);
  return found.map(({ ImageData }) => ImageData?.Platform?.architecture ?? "unknown");
}

const pull = (stand: Stand): Promise<Buffer> =>
  stand.ok("POST", `/images/create?fromImage=${encodeURIComponent(`${stand.relay.host}/x/y`)}&tag=platforms&platform=all`);

const several = (kind: "load" | "pull" | "rmi"): Scenario => ({
  name: `${kind} of several platforms`,
  victims: ["daemon", "daemon", "all of Berth"],
  async round(stand, chance) {
    const { index } = stand.known;
    const all = [...index.platforms, "unknown"];
    stand.relay.pauseMs = chance.one([0, 2]);
    const name = kind === "pull" ? stand.name("platforms") : "known/platforms:1";
    const make = (): Promise<Buffer> => (kind === "pull" ? pull(stand) : stand.load(index.archive));
    if (kind === "rmi") await make();
    return {
      begin: () => (kind === "rmi" ? stand.ok("DELETE", `/images/${name}`) : make()),
      async after(completed) {
        await audit(stand);
        const found = await here(stand);
        if (completed) assert.deepEqual(found, kind === "rmi" ? [] : all);
        if (kind !== "pull") assert.ok(found.length === 0 || found.length === all.length, `all or nothing, not ${found.join()}`);
        note(`${found.length} of ${all.length} were there`);
        await make();
        await audit(stand);
        assert.deepEqual(await here(stand), all);
        for (const platform of index.platforms) {
          const archive = await stand.ok("GET", `/images/${name}/json?platform={"os":"linux","architecture":"${platform}"}`);
          assert.equal((JSON.parse(archive.toString()) as { Architecture: string }).Architecture, platform);
        }
        const archive = await stand.ok("GET", `/images/${name}/get`);
        assert.ok(archive.includes(`blobs/sha256/${index.digest.slice("sha256:".length)}`), "the index is in the archive");
        await stand.ok("DELETE", `/images/${name}`);
        await stand.removeAll();
        assertEmpty(stand);
      },
    };
  },
});

export const platforms: readonly Scenario[] = [several("load"), several("pull"), several("rmi")];
