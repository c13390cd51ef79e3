/** The examples of docs/registry.md, word by word but for hosts and folders, under the stock docker CLI. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually, importBusybox, projectRoot } from "../daemon.ts";
import { pattern } from "../document-pattern.ts";
import { type TokenService, tokenService } from "../token-service.ts";

interface Example {
  readonly line: string;
  /** What is printed; `…` stands for any text. */
  readonly output: string;
}

/** Each block's; lines that begin with blanks go on with the command. */
function examples(document: string): Example[][] {
  const blocks = [...document.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  return blocks.map((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((example) => {
        const [first = "", ...rest] = example.split("\n");
        const more = rest.findIndex((line) => !line.startsWith("  "));
        return { line: [first, ...rest.slice(0, more)].join("\n"), output: rest.slice(more).join("\n").trimEnd() };
      }),
  );
}

/** A registry of an example, until the next one begins or the block ends. */
class Served {
  #child: ChildProcess | undefined;

  async start(line: string, env: Readonly<Record<string, string>>): Promise<void> {
    await this.stop();
    const child = spawn("sh", ["-c", `exec ${line}`], { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    this.#child = child;
    let log = "";
    child.stderr.on("data", (chunk) => {
      log += chunk;
    });
    await eventually(
      "the registry",
      async () => {
        assert.equal(child.exitCode, null, log);
        return /listening on/.test(log) ? true : undefined;
      },
      60_000,
    );
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

describe("docs/registry.md", { timeout: 180_000 }, () => {
  const folder = mkdtempSync("/var/tmp/berth-test-document-");
  const served = new Served();
  const upstream = new Served();
  let daemon: Daemon;
  let tokens: TokenService;
  const env = (): Record<string, string> => ({
    DOCKER_HOST: daemon.host,
    DOCKER_CONFIG: join(folder, "docker"),
    PATH: `${projectRoot}:${process.env["PATH"]}`,
  });
  /** Where the document says folders and hosts that are not there. */
  const here = (text: string): string =>
    text
      .replaceAll(/\/(srv|etc\/berth)\//g, `${folder}/$1/`)
      .replaceAll("/opt/berth:/opt/berth:ro", `${projectRoot}:/opt/berth:ro`)
      .replaceAll(/https:\/\/(registry-1\.docker\.io|quay\.io)/g, "http://127.0.0.1:5002")
      .replaceAll("https://auth.example.com/token", tokens.url);

  const sh = async (line: string): Promise<string> => {
    const { status, stdout, stderr } = await command("sh", ["-c", line], { env: env() });
    assert.equal(status, 0, `${line}: ${stderr}${stdout}`);
    return stdout.replaceAll("\r\n", "\n");
  };

  before(async () => {
    for (const name of ["srv", "etc/berth", "docker"]) mkdirSync(join(folder, name), { recursive: true });
    daemon = await Daemon.start();
    await importBusybox(daemon);
    tokens = await tokenService(join(folder, "etc/berth/token.pub"), (user, name) =>
      user === "sailor" && name === "team/box" ? ["pull"] : [],
    );
    // What Node needs to run, of this machine: the image of the example has it as well.
    const node = (await sh(`echo ${projectRoot}/node_modules/node-linux-*/bin/node`)).trim();
    const libraries = `$(ldd ${node} | grep -o '/[^ ]*')`;
    await sh(`cp -L --parents ${libraries} ${folder}/docker && cd ${folder}/docker && mkdir rootfs && mv lib* rootfs/`);
    await sh(`docker export $(docker create busybox true) | tar -x -C ${folder}/docker/rootfs && docker rm $(docker ps -aq)`);
    await sh(`tar -c -C ${folder}/docker/rootfs . | docker import - node:26-slim`);
    // The other registries: one, in truth.
    const users = join(folder, "etc/berth/upstream-users");
    await sh(`echo upstream | berth registry passwd sailor >${users}`);
    await upstream.start(`berth registry serve --addr 127.0.0.1:5002 --root ${folder}/srv/upstream --htpasswd ${users}`, env());
    await sh("docker login -u sailor -p upstream 127.0.0.1:5002");
    for (const name of ["library/box", "team/tool"])
      await sh(
        `docker tag busybox 127.0.0.1:5002/${name}:v1 && docker push -q 127.0.0.1:5002/${name}:v1 && docker rmi 127.0.0.1:5002/${name}:v1`,
      );
    await sh(`cp ${folder}/docker/config.json ${folder}/etc/berth/upstreams.json`);
  });
  after(async () => {
    await served.stop();
    await upstream.stop();
    await tokens[Symbol.asyncDispose]();
    await daemon.ok("volume", "rm", "-f", "registry");
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const all = examples(readFileSync(join(projectRoot, "docs/registry.md"), "utf8"));
  test("has examples", () => assert.ok(all.flat().length > 25));
  for (const [at, block] of all.entries()) {
    for (const { line, output } of block) {
      test(`${at + 1}: ${line}`, async () => {
        if (/^berth registry serve/.test(line)) return served.start(here(line), env());
        if (/^(docker run|berth registry gc)/.test(line)) await served.stop();
        assert.match((await sh(here(line))).trimEnd(), pattern(here(output)));
      });
    }
  }
  test("the token service was asked for what the commands need", () => {
    assert.ok(tokens.asked.includes("repository:team/box:pull"), tokens.asked.join(" "));
    assert.ok(tokens.asked.includes("repository:team/box:pull,push"), tokens.asked.join(" "));
  });
});
