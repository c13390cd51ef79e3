/** For attacks: images of busybox with something wrong in them, and a directory of the host's that is to stay as it is. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { busyboxRootfs, command, type Daemon } from "./daemon.ts";

/**
 * Imports busybox after a shell script has changed it.
 * @param script runs in the root directory of the image, on the host: relative names only
 * @param changes instructions of a Dockerfile
 */
export async function importChanged(daemon: Daemon, name: string, script: string, ...changes: string[]): Promise<void> {
  const root = await mkdtemp("/var/tmp/berth-test-hostile-");
  try {
    const made = await command("sh", ["-ec", `cd "$1" && tar -xf - && { ${script}\n} && tar -cf "$1.tar" --sort=name .`, "sh", root], {
      input: await busyboxRootfs(),
    });
    assert.equal(made.status, 0, made.stderr);
    const options = changes.flatMap((change) => ["--change", change]);
    const imported = await daemon.docker(["import", ...options, "-", name], { input: await readFile(`${root}.tar`) });
    assert.equal(imported.status, 0, imported.stderr);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
}

/** A directory of the host whose name the attackers know. */
export class Sentinel {
  readonly path: string = mkdtempSync("/var/tmp/berth-test-sentinel-");
  /** A file with {@link content}. */
  readonly secret: string = join(this.path, "secret");
  readonly content = "of the host";

  constructor() {
    chmodSync(this.path, 0o755);
    writeFileSync(this.secret, this.content);
    mkdirSync(join(this.path, "etc"));
    chmodSync(join(this.path, "etc"), 0o751);
  }

  assertUntouched(): void {
    assert.deepEqual(readdirSync(this.path).sort(), ["etc", "secret"]);
    assert.deepEqual(readdirSync(join(this.path, "etc")), []);
    assert.equal(readFileSync(this.secret, "utf8"), this.content);
    assert.equal(statSync(this.secret).mode & 0o7777, 0o644);
    assert.equal(statSync(join(this.path, "etc")).mode & 0o7777, 0o751);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
