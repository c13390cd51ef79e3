/** Plugins, which docker's client finds in the same places and gives the same words. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient, type ClientResult, runClient } from "./bundled-client.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

const program = `#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then echo '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"1","ShortDescription":"Says hello"}'; exit; fi
if [ "$1" = __complete ]; then echo one; echo two; echo ":4"; exit; fi
for word in "$@"; do echo "[$word]"; done
read -r line && echo "read $line"
echo "host $DOCKER_HOST, $DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND" >&2
exit 7
`;

describe("plugins", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-plugins-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    await bundleClient(main);
    mkdirSync(join(folder, "cli-plugins"));
    writeFileSync(join(folder, "cli-plugins/docker-hello"), program, { mode: 0o755 });
    writeFileSync(join(folder, "cli-plugins/docker-plain"), program, { mode: 0o644 });
    writeFileSync(join(folder, "cli-plugins/docker-other"), "#!/bin/sh\necho no plugin\n", { mode: 0o755 });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (client: "docker" | "berth", args: readonly string[], more: Record<string, string> = {}): Promise<ClientResult> =>
    runClient(client, main, args, { env: { ...process.env, DOCKER_CONFIG: folder, DOCKER_HOST: daemon.host, ...more }, input: "in\n" });

  for (const words of ["hello", "hello a -b --c=d -- e", "-D hello x", "hello --help", "hello -H x"])
    test(words, async () => {
      const [docker, berth] = [await run("docker", words.split(" ")), await run("berth", words.split(" "))];
      assert.deepEqual({ ...berth, stderr: berth.stderr.replace(", berth", ", docker") }, docker);
      assert.equal(berth.status, 7);
      assert.ok(berth.stderr.includes(daemon.host), berth.stderr);
    });

  test("the host that berth's own variable names is the plugin's", async () => {
    const { stderr } = await run("berth", ["hello"], { BERTH_HOST: "unix:///nosuch/berth.sock" });
    assert.equal(stderr, "host unix:///nosuch/berth.sock, berth\n");
  });

  test("what is no program is no verb", async () => {
    const { status, stderr } = await run("berth", ["plain"]);
    assert.equal(status, 1);
    assert.match(stderr, /unknown command: berth plain/);
  });

  test("help lists plugins with what they say of themselves, and nothing that does not", async () => {
    const { stdout } = await run("berth", ["--help"]);
    assert.match(stdout, /^ {2}hello +Says hello$/m);
    assert.doesNotMatch(stdout, /\bother\b/);
  });

  test("completion asks the plugin", async () => {
    assert.equal((await run("berth", ["__complete", "hello", ""])).stdout, "one\ntwo\n:4\n");
  });
});
