/** Docker's own registry, as Debian has it, on loopback: `sh test/docker-registry-of-debian.sh` fetches it. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const program = join(process.env["REGISTRY_TREE"] ?? "/var/tmp/berth-docker-registry", "usr/bin/docker-registry");
/** Why tests with it are passed over, or false. */
export const debianRegistryMissing: string | false = existsSync(program)
  ? false
  : "Debian's docker-registry is not there (sh test/docker-registry-of-debian.sh)";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Running extends AsyncDisposable {
  readonly host: string;
}

/** @param more lines of its configuration, below `http:` */
export async function debianRegistry(more = "", tls?: { ca: string; cert: string; key: string }): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "berth-test-docker-registry-"));
  const port = await freePort();
  if (tls !== undefined) for (const name of ["cert", "key"] as const) await writeFile(join(folder, name), tls[name]);
  const secure = tls === undefined ? "" : `  tls:\n    certificate: ${folder}/cert\n    key: ${folder}/key\n`;
  const storage = `storage:\n  filesystem:\n    rootdirectory: ${folder}/data\n  delete:\n    enabled: true\n`;
  await writeFile(
    join(folder, "config.yml"),
    `version: 0.1\nlog:\n  level: error\n${storage}http:\n  addr: 127.0.0.1:${port}\n${secure}${more.replaceAll("FOLDER", folder)}`,
  );
  const child = spawn(program, ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const host = `127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    const isUp = await fetch(`http://${host}/`).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    if (tries > 100 || child.exitCode !== null) throw new Error("docker-registry does not come up");
    await sleep(50);
  }
  return {
    host,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
