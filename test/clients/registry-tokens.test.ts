/** `berth registry serve` behind a token service, under Docker's engine and skopeo: what each user may do, and how a refusal is worded. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busyboxRootfs, command, eventually, projectRoot, type Result } from "../daemon.ts";
import { type TokenService, tokenService } from "../token-service.ts";

const missing = existsSync("/usr/sbin/dockerd") ? false : "dockerd is not installed";
const skopeoMissing = (await command("sh", ["-c", "command -v skopeo"])).status === 0 ? false : "skopeo is not installed";

/** Everybody reads what is public; sailor works in team, and nowhere else. */
function may(user: string | undefined, repository: string): readonly string[] {
  if (repository.startsWith("public/")) return ["pull"];
  return user === "sailor" && repository.startsWith("team/") ? ["pull", "push"] : [];
}

describe("tokens", { skip: missing, timeout: 180_000 }, () => {
  const folder = mkdtempSync("/var/tmp/berth-test-tokens-");
  const host = "127.0.0.1:5000";
  let engine: ChildProcess;
  let registry: ChildProcess;
  let tokens: TokenService;
  let log = "";
  const env = { DOCKER_HOST: `unix://${folder}/d.sock`, DOCKER_CONFIG: join(folder, "config") };
  const docker = (...args: string[]): Promise<Result> => command("docker", args, { env });
  const ok = async (...args: string[]): Promise<string> => {
    const result = await docker(...args);
    assert.equal(result.status, 0, `docker ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  const fails = async (...args: string[]): Promise<string> => {
    const result = await docker(...args);
    assert.notEqual(result.status, 0, `docker ${args.join(" ")}: ${result.stdout}`);
    return result.stderr.trim();
  };

  before(async () => {
    tokens = await tokenService(join(folder, "keys"), may);
    const flags = ["--token-realm", tokens.url, "--token-service", "r", "--token-issuer", "auth.example.com", "--token-key"];
    const serve = ["registry", "serve", "--addr", host, "--root", join(folder, "registry"), ...flags, join(folder, "keys")];
    registry = spawn(join(projectRoot, "berth"), serve, { stdio: ["ignore", "ignore", "pipe"] });
    registry.stderr?.on("data", (chunk) => {
      log += chunk;
    });
    const roots = ["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "--pidfile", `${folder}/pid`, "-H", env.DOCKER_HOST];
    const bare = ["--bridge=none", "--iptables=false", "--storage-driver=vfs"];
    engine = spawn("/usr/sbin/dockerd", [...roots, ...bare], { stdio: "ignore" });
    await eventually("dockerd", async () => ((await docker("version")).status === 0 ? true : undefined), 60_000);
    await eventually("the registry", async () => (/listening on/.test(log) ? true : undefined), 60_000);
    writeFileSync(join(folder, "rootfs.tar"), await busyboxRootfs());
    await ok("import", join(folder, "rootfs.tar"), "box");
  });
  after(async () => {
    for (const child of [engine, registry]) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
    }
    await tokens[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test("without a login nothing of others is seen, and nothing is pushed", async () => {
    for (const name of ["team/box", "public/box"]) {
      await ok("tag", "box", `${host}/${name}`);
      assert.match(await fails("push", `${host}/${name}`), /^denied: requested access to the resource is denied/);
    }
    // What is not there is not told from what may not be seen.
    assert.match(
      await fails("pull", `${host}/team/box`),
      /pull access denied for 127\.0\.0\.1:5000\/team\/box, repository does not exist or/,
    );
    assert.match(await fails("pull", `${host}/public/box`), /not found/);
  });

  test("a login with a wrong password", async () => {
    assert.match(await fails("login", "-u", "sailor", "-p", "wrong", host), /unauthorized/);
  });

  test("a login, and pushes and pulls where they are allowed", async () => {
    assert.equal((await ok("login", "-u", "sailor", "-p", "secret", host)).split("\n").at(-1), "Login Succeeded");
    const digest = /digest: (sha256:\w+)/.exec(await ok("push", `${host}/team/box`))?.[1];
    assert.ok(digest !== undefined);
    assert.match(await fails("push", `${host}/public/box`), /^denied: requested access to the resource is denied/);
    assert.match(await fails("pull", `${host}/other/box`), /pull access denied/);
    const id = await ok("image", "inspect", "-f", "{{.Id}}", "box");
    await ok("rmi", "-f", id);
    await ok("pull", `${host}/team/box@${digest}`);
    assert.equal(await ok("image", "inspect", "-f", "{{.Id}}", `${host}/team/box@${digest}`), id);
  });

  test("a blob is mounted by a token for both repositories", async () => {
    await ok("pull", `${host}/team/box`);
    await ok("tag", `${host}/team/box`, `${host}/team/other`);
    assert.match(await ok("push", `${host}/team/other`), /Mounted from team\/box/);
    const [asked] = tokens.asked.slice(-2).map((scope) => scope.replace("push,pull", "pull,push"));
    assert.deepEqual([asked, tokens.asked.at(-1)], ["repository:team/other:pull,push", "repository:team/box:pull"]);
  });

  test("skopeo, with a password and without", { skip: skopeoMissing }, async () => {
    const skopeo = (...args: string[]): Promise<Result> => command("skopeo", ["--insecure-policy", ...args]);
    const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    const [from, to] = [`docker://${host}/team/box:latest`, `docker://${host}/team/third:v1`];
    const creds = ["--src-creds", "sailor:secret", "--dest-creds", "sailor:secret"];
    const copied = await skopeo("copy", ...plain, ...creds, from, to);
    assert.equal(copied.status, 0, copied.stderr);
    const tags = await skopeo("list-tags", "--tls-verify=false", "--creds", "sailor:secret", `docker://${host}/team/third`);
    assert.deepEqual(JSON.parse(tags.stdout).Tags, ["v1"]);
    for (const refused of [
      await skopeo("copy", ...plain, ...creds, from, `docker://${host}/public/box:v1`),
      await skopeo("copy", ...plain, from, `oci:${folder}/layout:v1`),
      await skopeo("delete", "--tls-verify=false", "--creds", "sailor:secret", to),
    ]) {
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, /denied|unauthorized|authentication required/i);
    }
  });
});
