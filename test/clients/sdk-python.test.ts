/** A program written against Debian's python3-docker: create, attach, exec, logs, stats, archive, events. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, Daemon, importBusybox, projectRoot } from "../daemon.ts";

const found = await command("/usr/bin/python3", ["-c", "import docker"]);

describe("python3-docker", { skip: found.status === 0 ? false : "python3-docker is not installed (tools/test-packages.sh)" }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  // Its assertions are its own: it prints each part's name when that holds.
  test("the program comes to its end", async () => {
    const program = join(projectRoot, "test/clients/sdk-program.py");
    const result = await command("/usr/bin/python3", [program], { env: { DOCKER_HOST: daemon.host } });
    assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
    assert.deepEqual(result.stdout.trimEnd().split("\n"), [
      "system",
      "run",
      "attach",
      "exec",
      "logs",
      "stats",
      "archive",
      "volumes",
      "images",
      "events",
      "errors",
    ]);
  });
});
