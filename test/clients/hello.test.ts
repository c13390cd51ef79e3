/** The two commands that everybody tries first. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { command, Daemon, projectRoot } from "../daemon.ts";

describe("berth run hello-world", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.close());

  const berth = (...args: string[]): ReturnType<typeof command> => command(`${projectRoot}/berth`, ["-H", daemon.host, ...args]);

  test("runs from the embedded image, twice", async () => {
    for (let round = 0; round < 2; round++) {
      const result = await berth("run", "--rm", "hello-world");
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stdout, /Berth/);
    }
    assert.match(await daemon.ok("images", "--format", "{{.Repository}}:{{.Tag}}"), /^hello-world:latest$/);
    assert.equal((await berth("ps", "-aq")).stdout, "");
  });

  test("berth from any directory, through a link", async () => {
    const result = await command("sh", [
      "-ec",
      `d=$(mktemp -d); ln -s ${projectRoot}/berth $d/b; cd /; $d/b -H ${daemon.host} version --format '{{.Server.Version}}'; rm -r $d`,
    ]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /^\d+\.\d+\.\d+\n$/);
  });
});
