/** `docker load`: all images of an archive or none. */
import assert from "node:assert/strict";
import { setImmediate as breathe, setTimeout as sleep } from "node:timers/promises";
import { assertEmpty, audit, runs } from "./audit.ts";
import { dockerArchive, ociLayout } from "./known-images.ts";
import { note, type Scenario } from "./scenario.ts";

const archives = new Map<string, Buffer>();

export const loads: Scenario = {
  name: "load",
  victims: ["daemon", "daemon", "all of Berth"],
  async round(stand, chance) {
    const tags = chance.one([["a"], ["a", "b"], ["b", "c"]]);
    const images = tags.map((tag) => stand.known.get(tag));
    const kind = chance.one(["docker", "docker, gzip", "OCI"]);
    const key = `${kind} ${tags.join(" ")}`;
    const archive = archives.get(key) ?? (kind === "OCI" ? ociLayout(images, stand.known.shelf) : dockerArchive(images, kind !== "docker"));
    archives.set(key, archive);
    const resident = chance.happens(0.3);
    if (resident) await stand.load(dockerArchive([stand.known.get("c")], false));
    const pause = chance.one([undefined, () => breathe(), () => sleep(2)]);
    return {
      begin: () => stand.load(archive, pause),
      async after(completed) {
        const { images: listed } = await audit(stand);
        const there = images.filter(({ tag, id }) => listed.some(({ Id }) => Id === id) && !(resident && tag === "c"));
        const expected = images.filter(({ tag }) => !(resident && tag === "c"));
        assert.ok(there.length === 0 ? !completed : there.length === expected.length, "all images of an archive, or none");
        note(there.length === 0 ? "nothing was there" : "all was there");
        await stand.load(archive);
        await audit(stand);
        for (const image of images) await runs(stand, image, `known/${image.tag}:1`);
        await stand.removeAll();
        assertEmpty(stand);
      },
    };
  },
};
