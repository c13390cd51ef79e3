/** `--icc=false` of the daemon: containers of the default network reach what `--link` names, and nothing else of each other. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Daemon, eventually } from "../daemon.ts";
import { importProbe, Probes } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

const silenceMs = 700;

describe("links where fellows may not meet", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  before(async () => {
    other = await OtherHost.join(1);
    // Room for five.
    daemon = await Daemon.start(["--icc=false", "--bip=10.99.70.1/29"]);
    probes = new Probes(daemon);
    await importProbe(daemon);
    await probes.serve("db", ["--expose", "80"], "80", "81");
    await probes.serve("app", ["--link", "db:store", "--link", "db:again", "-p", "18900:80"]);
    await probes.serve("stranger", []);
  });
  after(() => closeWith(daemon, [other]));

  const address = (name: string): Promise<string> => probes.address(name, "bridge");
  const asked = async (from: string, port: number, to = "db"): Promise<string | undefined> =>
    (await probes.ask(from, "tcp", await address(to), port, silenceMs))?.split(" ")[0];

  test("the exposed port, under its names, one way", async () => {
    assert.equal(await asked("app", 80), "db");
    assert.equal(await probes.byName("app", "store"), "db");
    assert.equal(await asked("app", 81), undefined, "a port that is not exposed");
    assert.equal(await asked("db", 80, "app"), undefined, "the other way");
    assert.equal(await asked("stranger", 80), undefined, "without a link");
  });

  test("published ports are reached as ever", async () => {
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18900)) ?? "none", new RegExp(`^app ${other.address} `));
    assert.match((await probes.ask("stranger", "tcp", other.hostAddress, 18900)) ?? "none", /^app /);
  });

  test("who gets a linked container's address is not reached by it; the linked one is, wherever it comes back", async () => {
    const old = await address("db");
    await daemon.ok("stop", "-t", "0", "db");
    // With all other addresses taken, somebody gets the one that was kept.
    await probes.serve("filler", [], "80");
    await probes.serve("another", [], "80");
    await probes.serve("heir", ["--expose", "80"], "80");
    assert.equal(await address("heir"), old);
    await eventually("the end of the link", async () => (await asked("app", 80, "heir")) === undefined || undefined);
    await daemon.ok("rm", "-f", "filler");
    await daemon.ok("start", "db");
    assert.notEqual(await address("db"), old);
    await eventually("the link", async () => (await asked("app", 80)) === "db" || undefined);
    assert.equal(await probes.byName("app", "store"), "db");
    assert.equal(await asked("app", 81), undefined);
    assert.equal(await asked("app", 80, "heir"), undefined);
    await daemon.ok("rm", "-f", "heir", "another");
  });

  test("after a restart of the daemon and after a flush; and not when the container has ended", async () => {
    await daemon.kill();
    await daemon.restart();
    assert.equal(await asked("app", 80), "db");
    for (const line of execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).split("\n")) {
      if (/ berth/.test(line)) execFileSync("nft", ["delete", ...line.split(" ")]);
    }
    await eventually(
      "the table",
      async () => execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).includes("berth") || undefined,
      2000,
    );
    assert.equal(await asked("app", 80), "db");
    assert.equal(await asked("stranger", 80), undefined);
    await daemon.ok("rm", "-f", "app");
    const rules = execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
    assert.doesNotMatch(rules.slice(rules.indexOf("set links4")).split("}")[0] ?? "", /elements/);
  });
});
