/** What takes images away: `rmi`, `image prune`, `system prune`, `image gc`. */
import assert from "node:assert/strict";
import { assertEmpty, audit, runs } from "./audit.ts";
import type { Chance } from "./chance.ts";
import { dockerArchive } from "./known-images.ts";
import { note, type Scenario } from "./scenario.ts";
import type { Stand } from "./stand.ts";

/** Three images that share layers, one of them pulled, so that its compressed blobs are here too; each with more names. */
async function fill(stand: Stand): Promise<void> {
  stand.relay.pauseMs = 0;
  await Promise.all([
    stand.pull("a"),
    stand.load(
      dockerArchive(
        stand.known.all.filter(({ tag }) => tag !== "a"),
        false,
      ),
    ),
  ]);
  for (const { id, tag } of stand.known.all)
    for (const name of ["one", "two"]) await stand.ok("POST", `/images/${id}/tag?repo=${name}&tag=${tag}`);
}

/** @param begin what takes away @param all whether nothing is left when it is told that it is done */
function removal(name: string, begin: (stand: Stand, chance: Chance) => Promise<() => Promise<unknown>>, all: boolean): Scenario {
  return {
    name,
    victims: ["daemon", "daemon", "all of Berth"],
    async round(stand, chance) {
      await fill(stand);
      return {
        begin: await begin(stand, chance),
        async after(completed) {
          const { images } = await audit(stand);
          assert.equal((await audit(stand)).downloads.size, 0);
          if (completed && all) assert.equal(images.length, 0);
          note(`${images.length} images were left`);
          for (const { Id } of images) {
            const image = stand.known.byId(Id);
            if (image !== undefined) await runs(stand, image, Id);
          }
          await stand.removeAll();
          assertEmpty(stand);
        },
      };
    },
  };
}

const rmi = removal(
  "rmi",
  async (stand, chance) => {
    const forced = ["a", "b", "c"].flatMap((tag) => [`one:${tag}`, `two:${tag}`, stand.known.get(tag).id]);
    const names = chance.shuffled([...forced, stand.name("a"), "known/b:1", "known/c:1"]).slice(0, 4 + chance.below(9));
    const remove = (name: string): Promise<unknown> => stand.call("DELETE", `/images/${name}?force=${chance.happens(0.7) ? 1 : 0}`);
    if (chance.happens(0.5)) return () => Promise.all(names.map(remove));
    return async () => {
      for (const name of names) await remove(name);
    };
  },
  false,
);

const prune = removal(
  "prune",
  async (stand, chance) => {
    for (const name of ["first", "second"])
      await stand.ok("POST", `/containers/create?name=${name}`, { Image: stand.known.get("a").id, Cmd: ["/bin/true"] });
    const unused = encodeURIComponent(JSON.stringify({ dangling: ["false"] }));
    if (chance.happens(0.3)) return () => stand.daemon.ok("system", "prune", "-af");
    return async () => {
      if (chance.happens(0.5)) await stand.ok("POST", `/images/prune?filters=${unused}`);
      await stand.ok("POST", "/containers/prune");
      await stand.ok("POST", `/images/prune?filters=${unused}`);
    };
  },
  true,
);

const collection = removal(
  "image gc",
  async (stand, chance) => {
    const keep = chance.one(["1", "3m", "6m"]);
    return () => stand.ok("POST", `/berth/images/gc?keep-storage=${keep}&recent=1ms`);
  },
  false,
);

export const removals: readonly Scenario[] = [rmi, prune, collection];
