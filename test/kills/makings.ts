/** Images that are made here: `commit` of a container, running or not, and `import`. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { assertEmpty, audit } from "./audit.ts";
import { dockerArchive } from "./known-images.ts";
import { note, type Scenario } from "./scenario.ts";
import type { Stand } from "./stand.ts";

const script = "head -c 3000000 /dev/urandom >/made; sha256sum /made; exec sleep";

/** @returns the sum of what it has written */
async function makeContainer(stand: Stand, isRunning: boolean): Promise<string> {
  const { daemon } = stand;
  const command = ["/bin/busybox", "sh", "-c", `${script} ${isRunning ? 1000 : 0}`];
  await daemon.ok("run", "-d", "--net", "none", "--name", "maker", "known/c:1", ...command);
  if (!isRunning) await daemon.ok("wait", "maker");
  for (;;) {
    const line = await daemon.ok("logs", "maker");
    if (line.includes("/made")) return `${line}\n`;
  }
}

/** A tar's end is blocks of zeros, however many. */
function withoutEnd(tar: Buffer): Buffer {
  let blocks = tar.length / 512;
  while (blocks > 0 && tar.subarray((blocks - 1) * 512, blocks * 512).every((byte) => byte === 0)) blocks--;
  return tar.subarray(0, blocks * 512);
}

export const makings: Scenario = {
  name: "commit and import",
  victims: ["daemon", "daemon", "all of Berth"],
  async round(stand, chance) {
    await stand.load(dockerArchive([stand.known.get("c")], false));
    const kind = chance.one(["running", "stopped", "import"] as const);
    const sum = kind === "import" ? undefined : await makeContainer(stand, kind === "running");
    const [busybox = Buffer.alloc(0), shared = Buffer.alloc(0)] = stand.known.get("a").tars;
    const tar = Buffer.concat([withoutEnd(busybox), shared]);
    const make = (): Promise<Buffer> =>
      kind === "import"
        ? stand.ok("POST", "/images/create?fromSrc=-&repo=made&tag=1", Readable.from([tar], { objectMode: false }))
        : stand.ok("POST", "/commit?container=maker&repo=made&tag=1", {});
    return {
      begin: make,
      async after(completed) {
        const { images } = await audit(stand);
        const isThere = images.some(({ RepoTags }) => RepoTags?.includes("made:1"));
        assert.ok(isThere || !completed);
        note(`${kind}: ${isThere ? "the image was there" : "no image"}`);
        if (kind !== "import") {
          const status = await stand.daemon.ok("inspect", "-f", "{{.State.Status}}", "maker");
          assert.ok(status === "exited" || (status === "running" && kind === "running"), `its container is ${status}`);
        }
        if (!isThere) await make();
        const read = await stand.run("made:1", ["/bin/busybox", "sha256sum", kind === "import" ? "/data/shared" : "/made"]);
        assert.equal(read, sum ?? `${stand.known.get("a").files.get("data/shared")}  /data/shared\n`);
        await audit(stand);
        await stand.removeAll();
        assertEmpty(stand);
      },
    };
  },
};
