/** DNS in containers under load, and with upstream servers of which one is dead. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Daemon, eventually } from "../daemon.ts";
import { importProbe, netProbe } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

interface Answers {
  readonly sent: number;
  readonly answered: number;
  /** With at least one record. */
  readonly good: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

describe("DNS of containers, asked a lot", () => {
  let daemon: Daemon;
  let other: OtherHost;
  /** Nobody answers at the last of them; the wire leads there, so questions vanish instead of being refused. */
  const upstreams: string[] = [];
  before(async () => {
    other = await OtherHost.join(1);
    for (let index = 0; index < 10; index++) upstreams.push(other.address.replace(/2$/, String(10 + index)));
    for (const address of upstreams) await other.ok("ip", "addr", "add", `${address}/24`, "dev", "eth0");
    await other.ok("nft", "add table inet dead; add chain inet dead in { type filter hook input priority 0; }");
    let said = "";
    other.start(netProbe(), "dns-serve").stdout?.on("data", (chunk) => (said = String(chunk)));
    daemon = await Daemon.start();
    await importProbe(daemon);
    await daemon.ok("network", "create", "asking");
    await daemon.ok("run", "-d", "--name", "target", "--network", "asking", "--network-alias", "alias", "probe", "sleep", "1000");
    await eventually("the upstream server", async () => said !== "" || undefined);
  });
  after(() => closeWith(daemon, [other]));

  async function flood(container: string, rate: number, seconds: number, ...names: string[]): Promise<Answers> {
    const words = ["exec", container, "net-probe", "dns", "127.0.0.11", String(rate), String(seconds), ...names];
    return JSON.parse(await daemon.ok(...words)) as Answers;
  }

  test("5,000 questions a second from one container are all answered", async () => {
    await daemon.ok("run", "-d", "--name", "asker", "--network", "asking", "probe", "sleep", "1000");
    const answers = await flood("asker", 5000, 4, "target", "alias");
    assert.equal(answers.sent, 20_000);
    assert.equal(answers.good, answers.sent, JSON.stringify(answers));
    await daemon.ok("rm", "-f", "asker");
  });

  for (const dead of [0, 4, 9])
    test(`ten upstream servers, the one at place ${dead} dead: nobody waits`, async () => {
      await other.ok("nft", `flush chain inet dead in; add rule inet dead in ip daddr ${upstreams[dead]} drop`);
      const servers = upstreams.flatMap((address) => ["--dns", address]);
      await daemon.ok("run", "-d", "--name", "asker", "--network", "asking", ...servers, "probe", "sleep", "1000");
      // Each name once: nothing is answered from what is remembered.
      const names = Array.from({ length: 300 }, (_, index) => `n${index}.dead${dead}.example`);
      const answers = await flood("asker", 100, 3, ...names);
      assert.equal(answers.sent, 300);
      assert.equal(answers.good, 300, JSON.stringify(answers));
      assert.ok(answers.maxMs < 100, JSON.stringify(answers));
      await daemon.ok("rm", "-f", "asker");
    });
});
