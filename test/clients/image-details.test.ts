/** Images through docker, berth and the API: platforms, manifests, layers, differences, the collector, signatures. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type SampleEntry, sampleTar } from "../../src/layers/sample-tar.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { ask } from "../ask.ts";
import { type CommandOptions, command, Daemon, eventually, importBusybox, projectRoot, type Result } from "../daemon.ts";

describe("images in detail", () => {
  const folder = mkdtempSync("/var/tmp/berth-test-image-details-");
  let daemon: Daemon;
  let registry: ScratchRegistry;
  before(async () => {
    registry = await ScratchRegistry.open();
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const save = (name: string, key: KeyObject, type: "spki" | "pkcs8"): void =>
      writeFileSync(join(folder, name), key.export({ type, format: "pem" } as { type: "spki"; format: "pem" }), { mode: 0o600 });
    save("signer.pub", publicKey, "spki");
    save("signer.key", privateKey, "pkcs8");
    save("other.pub", other.publicKey, "spki");
    const host = `127.0.0.1:${registry.port}`;
    const policy = {
      [`${host}/signed`]: { signedBy: [join(folder, "other.pub"), join(folder, "signer.pub")] },
      [`${host}/forbidden`]: "reject",
    };
    const configuration = { "image-policy": policy, "image-gc": { "unused-for": "1000h", pins: ["busybox"] } };
    writeFileSync(join(folder, "daemon.json"), JSON.stringify(configuration));
    daemon = await Daemon.start(["--config-file", join(folder, "daemon.json")]);
    await importBusybox(daemon);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    await daemon.close();
  });

  const run = (args: readonly string[], options: CommandOptions = {}): Promise<Result> =>
    command(join(projectRoot, "berth"), args, { ...options, env: { DOCKER_HOST: daemon.host, HOME: folder, ...options.env } });
  const berth = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.equal(status, 0, `berth ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  };
  const refusal = async (...args: string[]): Promise<string> => {
    const result = await run(args);
    assert.notEqual(result.status, 0, args.join(" "));
    return result.stderr;
  };

  test("a platform that the image is for changes nothing, another is refused", async () => {
    const other =
      /image with reference busybox was found but its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)/;
    const own = `linux/${await daemon.ok("version", "-f", "{{.Server.Arch}}")}`;
    const id = await daemon.ok("image", "inspect", "-f", "{{.Id}}", "busybox");
    assert.equal(await daemon.ok("image", "inspect", "--platform", own, "-f", "{{.Id}}", "busybox"), id);
    assert.equal(await daemon.ok("history", "-q", "--no-trunc", "--platform", own, "busybox"), id);
    await daemon.ok("save", "--platform", own, "-o", join(folder, "busybox.tar"), "busybox");
    assert.match(await daemon.ok("load", "--platform", own, "-i", join(folder, "busybox.tar")), /^Loaded image: busybox:latest$/);
    for (const args of [
      ["image", "inspect", "--platform", "linux/s390x", "busybox"],
      ["history", "--platform", "linux/s390x", "busybox"],
      ["save", "--platform", "linux/s390x", "busybox"],
      ["rmi", "--platform", "linux/s390x", "busybox"],
    ]) {
      const refused = await daemon.docker(args);
      assert.notEqual(refused.status, 0, args.join(" "));
      assert.match(refused.stderr, /s390x/, args.join(" "));
    }
    assert.match((await daemon.docker(["image", "inspect", "--platform", "linux/s390x", "busybox"])).stderr, other);
    const load = await daemon.docker(["load", "--platform", "linux/s390x", "-i", join(folder, "busybox.tar")]);
    assert.match(load.stderr, /image does not provide the specified platform \(linux\/s390x\)/);
    const platform = (value: unknown): string => encodeURIComponent(JSON.stringify(value));
    const archive = await ask(daemon, "GET", `/images/busybox/get?platform=${platform({ os: "linux", architecture: "s390x" })}`);
    assert.equal(archive.status, 404);
    for (const [value, message] of [
      ["no", /failed to parse platform/],
      [{ variant: "v8" }, /optional platform components provided, but OS and Architecture are empty/],
      [{ os: "linux" }, /both OS and Architecture must be provided/],
    ] as const) {
      const refused = await ask(daemon, "GET", `/images/busybox/json?platform=${platform(value)}`);
      assert.equal(refused.status, 400);
      assert.match(refused.text, message);
    }
    await daemon.ok("tag", "busybox", "again");
    assert.equal(await daemon.ok("rmi", "--platform", own, "again"), "Untagged: again:latest");
  });

  test("manifests, and the tree that docker makes of them", async () => {
    const listed = await ask(daemon, "GET", "/images/json?manifests=1");
    const [summary] = (listed.body as { Manifests: { ID: string; Kind: string; Available: boolean }[] }[])[0]?.Manifests ?? [];
    assert.deepEqual([summary?.Kind, summary?.Available], ["image", true]);
    const inspected = await ask(daemon, "GET", "/images/busybox/json?manifests=1");
    assert.equal((inspected.body as { Manifests: { ID: string }[] }).Manifests[0]?.ID, summary?.ID);
    const both = await ask(
      daemon,
      "GET",
      `/images/busybox/json?manifests=1&platform=${encodeURIComponent('{"os":"linux","architecture":"amd64"}')}`,
    );
    assert.match(both.text, /conflicting options: manifests and platform options cannot both be set/);
    const older = await ask(daemon, "GET", "/v1.46/images/json?manifests=1");
    assert.equal((older.body as { Manifests?: unknown }[])[0]?.Manifests, undefined);
    await daemon.ok("create", "--name", "user", "busybox", "true");
    const tree = await daemon.ok("images", "--tree");
    assert.match(tree, /^busybox:latest +[0-9a-f]{12} .*U *\n└─ linux\/\w+ +[0-9a-f]{12} .*U *$/m);
    assert.equal((await berth("images", "--tree")).trim(), tree);
    await daemon.ok("rm", "user");
  });

  test("berth image layers and diff, with hostile names", async () => {
    const hostile = "evil\u001b[31m\u202e\\name";
    const make = async (name: string, ...entries: readonly SampleEntry[]): Promise<void> => {
      const made = await daemon.docker(["import", "-", name], { input: sampleTar(...entries) });
      assert.equal(made.status, 0, made.stderr);
    };
    await make("one", { name: "kept", data: "k" }, { name: "changed", data: "12" }, { name: "gone", data: "123" });
    await make("two", { name: "kept", data: "k", mtime: 5 }, { name: "changed", data: "13" }, { name: hostile, data: "evil" });
    const shown = "/evil\\u001b[31m\\u202e\\\\name";
    assert.equal(
      await berth("image", "diff", "one", "two"),
      `C /changed (content)\nA ${shown} (4B)\nD /gone (3B)\n1 added, 1 changed, 1 removed: +1B\n`,
    );
    const lines = (await berth("image", "diff", "--format", "json", "one", "two")).trim().split("\n");
    assert.deepEqual(JSON.parse(lines[1] ?? ""), { Kind: "added", Path: `/${hostile}`, Type: "file", What: [], FromSize: 0, ToSize: 4 });
    assert.ok(!["\u001b", "\u202e"].some((letter) => lines.join().includes(letter)), "escaped in JSON too");
    assert.ok((await berth("image", "layers", "--files", "two")).includes(`0\tA\t4B\t${shown}\n`));
    assert.match(await berth("image", "layers", "two"), /^LAYER +DIFF ID .*\n0 +[0-9a-f]{12} .* 3 \(7B\) .*\n\nWasted: 0B of /);
    const report = JSON.parse(await berth("image", "layers", "--format", "json", "two")) as { Layers: { Added: object }[] };
    assert.deepEqual(report.Layers[0]?.Added, { Count: 3, Size: 7 });
    assert.match(await refusal("image", "layers", "nosuch"), /No such image: nosuch/);
    assert.match(await refusal("image", "diff", "one", "nosuch"), /No such image: nosuch/);
    await daemon.ok("rmi", "one", "two");
  });

  test("berth image gc and pin", async () => {
    await daemon.ok("tag", "busybox", "stays");
    const made = await daemon.docker(["import", "-", "goes"], { input: sampleTar({ name: "f", data: "x".repeat(5000) }) });
    assert.equal(made.status, 0, made.stderr);
    assert.equal(await berth("image", "pin", "goes"), "goes\n");
    const collect = ["image", "gc", "--unused-for", "0s", "--recent", "0s"];
    const kept = await berth(...collect);
    assert.match(kept, /^kept +pinned .*busybox:latest, stays:latest$/m);
    assert.match(kept, /^kept +pinned .*goes:latest$/m);
    await berth("image", "unpin", "goes");
    assert.match(await berth(...collect, "--dry-run"), /^would go +unused-for .*goes:latest$/m);
    assert.match(await berth("image", "gc"), /^Reclaimed: 0B/, "by the daemon's own policy, nothing");
    assert.match(await berth(...collect), /^removed +unused-for .*goes:latest$/m);
    assert.match(await refusal("image", "inspect", "goes"), /No such image: goes/);
    assert.match(await refusal("image", "gc", "--keep-storage", "much"), /invalid size: 'much'/);
    await daemon.ok("rmi", "stays");
  });

  test("the policy at a pull; berth trust sign, verify and inspect", async () => {
    const host = `127.0.0.1:${registry.port}`;
    const own = `linux/${await daemon.ok("version", "-f", "{{.Server.Arch}}")}`;
    for (const name of ["signed", "forbidden", "free"]) {
      await daemon.ok("tag", "busybox", `${host}/${name}/app`);
      await daemon.ok("push", "--platform", own, `${host}/${name}/app`);
      await daemon.ok("rmi", `${host}/${name}/app`);
    }
    const key = join(folder, "signer.key");
    const pub = join(folder, "signer.pub");
    await daemon.ok("pull", `${host}/free/app`);
    const forbidden = await daemon.docker(["pull", `${host}/forbidden/app`]);
    assert.match(forbidden.stderr, /image policy "[^"]*\/forbidden" refuses .*: nothing may be pulled from there/);
    const unsigned = await daemon.docker(["pull", `${host}/signed/app`]);
    assert.match(unsigned.stderr, /image policy "[^"]*\/signed" refuses .*: it has no signatures/);
    assert.match(await refusal("trust", "verify", "--key", pub, `${host}/signed/app`), /it has no signatures/);
    assert.match(await berth("trust", "sign", "--key", key, "-a", "by=test", `${host}/signed/app`), /^Signed .*: sha256:[0-9a-f]{64}\n$/);
    const verified = JSON.parse(await berth("trust", "verify", "--key", pub, `${host}/signed/app`)) as { Signatures: object[] };
    assert.partialDeepStrictEqual(verified.Signatures, [{ Identity: `${host}/signed/app`, Annotations: { by: "test" } }]);
    assert.match(await refusal("trust", "verify", "--key", join(folder, "other.pub"), `${host}/signed/app`), /not by any of the keys/);
    const [seen] = JSON.parse(await berth("trust", "inspect", `${host}/signed/app`)) as { Policy: string; Signatures: object[] }[];
    assert.match(seen?.Policy ?? "", /\/signed: signed by SHA256:.* or SHA256:/);
    assert.equal(seen?.Signatures.length, 1);
    assert.match(await daemon.ok("pull", `${host}/signed/app`), /Status: Downloaded newer image/);
    await daemon.ok("rmi", `${host}/signed/app`, `${host}/free/app`);
  });

  test("the policy holds for what docker run pulls; signatures in a registry that wants a password", async () => {
    writeFileSync(join(folder, "users"), "sailor:$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC\n"); // berth
    await using closed = await ScratchRegistry.open({ access: { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } });
    const host = `127.0.0.1:${closed.port}`;
    const name = `${host}/signed/app`;
    const configuration = JSON.parse(readFileSync(join(folder, "daemon.json"), "utf8")) as object;
    const rule = { [`${host}/signed`]: { signedBy: [join(folder, "signer.pub")] } };
    const reload = async (content: object): Promise<void> => {
      const since = Math.floor(Date.now() / 1000);
      writeFileSync(join(folder, "daemon.json"), JSON.stringify({ ...configuration, ...content }));
      process.kill(daemon.pid, "SIGHUP");
      await eventually("the reload", async () => {
        const events = await daemon.ok("events", "--since", `${since}`, "--until", "0s", "-f", "event=reload");
        return events === "" ? undefined : true;
      });
    };
    await reload({ "image-policy": rule });
    const env = { DOCKER_CONFIG: join(folder, "sailor") };
    const login = await run(["login", "-u", "sailor", "--password-stdin", host], { env, input: "berth" });
    assert.equal(login.status, 0, login.stderr);
    await daemon.ok("tag", "busybox", name);
    const pushed = await daemon.docker(["push", name], { env });
    assert.equal(pushed.status, 0, pushed.stderr);
    await daemon.ok("rmi", name);
    const unsigned = await daemon.docker(["run", "--rm", name, "true"], { env });
    assert.equal(unsigned.status, 125);
    assert.match(unsigned.stderr, /image policy "[^"]*\/signed" refuses .*: it has no signatures/);
    const sign = ["trust", "sign", "--key", join(folder, "signer.key"), name];
    assert.match(await refusal(...sign), /no basic auth credentials/);
    for (const args of [sign, ["trust", "verify", "--key", join(folder, "signer.pub"), name], ["trust", "inspect", name]]) {
      const { status, stderr } = await run(args, { env });
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    }
    const signed = await daemon.docker(["run", "--rm", name, "echo", "signed"], { env });
    assert.equal(signed.stdout, "signed\n", signed.stderr);
    await daemon.ok("rmi", name);
    await daemon.docker(["import", "-", "unpinned"], { input: sampleTar({ name: "f", data: "x" }) });
    assert.doesNotMatch(await berth("image", "gc", "--recent", "0s", "--dry-run"), /^would go/m);
    await reload({ "image-gc": { "unused-for": "0s" } });
    assert.match(await berth("image", "gc", "--recent", "0s", "--dry-run"), /^would go +unused-for .*unpinned:latest/m);
    await reload({ "image-gc": {} });
    assert.match(await refusal("image", "gc"), /there is no policy for images/);
    await daemon.ok("rmi", "unpinned");
  });
});
