/** News of the firewall: of what is built there, whoever does it, and not of the elements that come and go every day. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench } from "./busybox-containers.ts";

const table = `berth-test-news-${process.pid}`;

function nft(script: string): void {
  execFileSync("nft", ["-f", "-"], { input: script });
}

describe("changes of the firewall", () => {
  let bench: Bench;
  let seen = 0;
  let told = Promise.withResolvers<void>();
  before(async () => {
    bench = await Bench.open();
    bench.kernel.onFirewallChange(() => {
      seen++;
      told.resolve();
    });
    // Requests are answered in order: when this one is, the broker watches.
    await bench.kernel.netlink(12, hello());
  });
  after(async () => {
    nft(`add table inet ${table}\ndelete table inet ${table}`);
    await bench[Symbol.asyncDispose]();
  });

  /** NFT_MSG_GETGEN: an answer, and no change. */
  function hello(): Uint8Array {
    return Uint8Array.of(20, 0, 0, 0, 16, 10, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  async function news(script: string): Promise<void> {
    told = Promise.withResolvers<void>();
    nft(script);
    await told.promise;
    // What is still under way to us belongs to the same change.
    await sleep(300);
  }

  test("of tables, chains, rules and sets", async () => {
    await news(`add table inet ${table}`);
    await news(`add chain inet ${table} one`);
    await news(`add set inet ${table} ports { type inet_service; }`);
    await news(`add rule inet ${table} one tcp dport @ports accept`);
    await news(`flush chain inet ${table} one`);
    await news(`delete set inet ${table} ports`);
    await news(`delete table inet ${table}`);
  });

  test("not of elements; of a flush of everything around them", async () => {
    await news(`add table inet ${table}\nadd set inet ${table} ports { type inet_service; }\nadd chain inet ${table} two`);
    const before = seen;
    for (let port = 1; port < 50; port++) nft(`add element inet ${table} ports { ${port} }`);
    nft(`delete element inet ${table} ports { ${Array.from({ length: 49 }, (_, index) => index + 1).join(", ")} }`);
    await bench.kernel.netlink(12, hello());
    await sleep(300);
    assert.equal(seen, before);
    await news(`flush table inet ${table}\ndelete table inet ${table}`);
  });

  test("many changes are few news, and the last one is told", async () => {
    const before = seen;
    for (let round = 0; round < 100; round++) nft(`add table inet ${table}\nadd chain inet ${table} c${round}`);
    await sleep(300);
    assert.ok(seen - before < 50, String(seen - before));
    await news(`delete table inet ${table}`);
  });

  test("another broker watches too, and what was missed is told", async () => {
    const pid = await bench.kernel.brokerPid();
    assert.ok(pid !== undefined);
    told = Promise.withResolvers<void>();
    process.kill(pid, "SIGKILL");
    await told.promise;
    await news(`add table inet ${table}`);
    await news(`delete table inet ${table}`);
  });
});
