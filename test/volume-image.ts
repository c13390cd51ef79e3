/** An image for tests of volumes and mounts. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { busyboxRootfs, command, type Daemon } from "./daemon.ts";

/**
 * Imports `content:latest`: busybox, `/data` of 1000:1001 with files of theirs, hard links and a link, `/vol` that is a
 * volume of the image, and links that lead out of the root file system, to `outside` on the host.
 */
export async function importContent(daemon: Daemon, outside: string): Promise<void> {
  const root = await mkdtemp("/var/tmp/berth-test-content-");
  try {
    const script = `cd "$1" && tar -xf - && mkdir -p data/sub vol/deep && echo first >data/f && ln data/f data/g && ln -s f data/l &&
      chown -R 1000:1001 data && chmod 2750 data && chmod 4711 data/f && echo from-the-image >vol/deep/file && chmod 700 vol && chown 7:8 vol &&
      ln -s /data absolute && ln -s "$2" escape && ln -s ../../../../../../../../.."$2" upwards && ln -s "$2/made" dangling && ln -s / top &&
      ln -s /proc/self/root/etc magic && tar -cf "$1.tar" --sort=name .`;
    const made = await command("sh", ["-ec", script, "sh", root, outside], { input: await busyboxRootfs() });
    assert.equal(made.status, 0, made.stderr);
    const change = ["--change", "VOLUME /vol", "--change", 'CMD ["sh"]'];
    const imported = await daemon.docker(["import", ...change, "-", "content:latest"], { input: await readFile(`${root}.tar`) });
    assert.equal(imported.status, 0, imported.stderr);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
}
