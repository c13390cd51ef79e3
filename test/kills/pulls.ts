/** Pulls, one or two at once: what had come is not fetched again, to the byte. */
import assert from "node:assert/strict";
import { assertEmpty, audit, runs } from "./audit.ts";
import type { KnownImage } from "./known-images.ts";
import { note, type Scenario } from "./scenario.ts";
import type { Stand } from "./stand.ts";

export const pulls: Scenario = {
  name: "pull",
  victims: ["daemon", "daemon", "all of Berth"],
  async round(stand, chance) {
    const tags = chance.one([["a"], ["c"], ["a", "b"], ["c", "a"]]);
    const resident = chance.happens(0.3) ? chance.one(["a", "b", "c"].filter((tag) => !tags.includes(tag))) : undefined;
    stand.relay.pauseMs = 0;
    if (resident !== undefined) await stand.pull(resident);
    stand.relay.pauseMs = chance.one([0, 2, 8]);
    const pullAll = (): Promise<unknown> => Promise.all(tags.map((tag) => stand.pull(tag)));
    return {
      begin: pullAll,
      async after(completed) {
        const { images, downloads } = await audit(stand);
        const listed = stand.known.all.filter(({ id }) => images.some(({ Id }) => Id === id));
        if (completed) for (const tag of tags) assert.ok(listed.includes(stand.known.get(tag)), `${tag} is there`);
        stand.relay.forget();
        stand.relay.pauseMs = 0;
        await pullAll();
        assertOnlyWhatLacked(
          stand,
          tags.map((tag) => stand.known.get(tag)),
          new Set(listed.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))),
          downloads,
        );
        assert.equal((await audit(stand)).downloads.size, 0, "downloads after the pull");
        for (const tag of tags) await runs(stand, stand.known.get(tag), stand.name(tag));
        await stand.removeAll();
        assertEmpty(stand);
      },
    };
  },
};

/** @param held blobs of images that were there @param kept bytes of blobs that were on their way */
function assertOnlyWhatLacked(
  stand: Stand,
  images: readonly KnownImage[],
  held: ReadonlySet<string>,
  kept: ReadonlyMap<string, number>,
): void {
  const blobs = new Map(images.flatMap((image) => image.blobs).map((blob) => [blob.digest as string, blob.size]));
  for (const [digest, size] of blobs) {
    const there = held.has(digest) ? size : (kept.get(digest) ?? 0);
    assert.equal(stand.relay.fetchedBytes(digest), size - there, `of ${size} bytes of a layer ${there} were there`);
    const asked = stand.relay.fetched.filter((each) => each.digest === digest);
    if (there === size) assert.deepEqual(asked, [], "what is there is not asked for");
    else
      assert.deepEqual(
        asked.map(({ from }) => from),
        [there],
        "asked for once, by Range where something was there",
      );
    if (!held.has(digest) && there > 0)
      note(there === size ? "layers that had come wholly: not fetched" : "layers that had come in part: Range");
  }
  for (const digest of kept.keys()) assert.ok(blobs.has(digest), "only what was asked for is on its way");
}
