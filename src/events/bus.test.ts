import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventMessage } from "../spec/spec.ts";
import { openEvents } from "./bus.ts";
import { type Events, nowNanos } from "./events.ts";

const actions = (messages: readonly EventMessage[]): (string | undefined)[] => messages.map(({ Action }) => Action);

function collect(
  events: Events,
  options: { sinceNanos?: bigint; untilNanos?: bigint } = {},
): { seen: EventMessage[]; done: Promise<void>; abort: () => void } {
  const controller = new AbortController();
  const seen: EventMessage[] = [];
  const source = events.subscribe(options, controller.signal);
  const done = (async () => {
    for await (const message of source) seen.push(message);
  })();
  return { seen, done, abort: () => controller.abort() };
}

describe("events", () => {
  test("are written as Docker writes them", async () => {
    const events = openEvents();
    const { seen, done, abort } = collect(events);
    events.publish("container", "start", "c1", { image: "busybox", name: "web" });
    events.publish("network", "connect", "n1", { type: "bridge" });
    await sleep(1);
    abort();
    await done;
    const text = JSON.stringify(seen[0]);
    assert.match(
      text,
      /^\{"status":"start","id":"c1","from":"busybox","Type":"container","Action":"start","Actor":\{"ID":"c1","Attributes":\{"image":"busybox","name":"web"\}\},"scope":"local","time":\d{10},"timeNano":\d{19}\}$/,
    );
    assert.match(JSON.stringify(seen[1]), /^\{"Type":"network","Action":"connect"/);
    assert.equal(text.slice(text.indexOf('"time":') + 7).slice(0, 10), text.slice(text.indexOf('"timeNano":') + 11).slice(0, 10));
  });

  test("are given from the moment of subscribing, not of reading", async () => {
    const events = openEvents();
    const controller = new AbortController();
    const source = events.subscribe({}, controller.signal)[Symbol.asyncIterator]();
    events.publish("image", "tag", "i", { name: "a" });
    assert.equal((await source.next()).value.Action, "tag");
    controller.abort();
    assert.equal((await source.next()).done, true);
  });

  test("of before are given since a time, in order and once", async () => {
    const events = openEvents();
    events.publish("container", "one", "c", {});
    const between = nowNanos();
    events.publish("container", "two", "c", {});
    const { seen, done, abort } = collect(events, { sinceNanos: between });
    events.publish("container", "three", "c", {});
    await sleep(1);
    abort();
    await done;
    assert.deepEqual(actions(seen), ["two", "three"]);
  });

  test("end at a time, past or to come", async () => {
    const events = openEvents();
    events.publish("container", "one", "c", {});
    const past = collect(events, { sinceNanos: 0n, untilNanos: nowNanos() });
    await past.done;
    assert.deepEqual(actions(past.seen), ["one"]);
    const coming = collect(events, { untilNanos: nowNanos() + 60_000_000n });
    events.publish("container", "two", "c", {});
    await coming.done;
    assert.deepEqual(actions(coming.seen), ["two"]);
  });

  test("are kept, the last 256", async () => {
    const events = openEvents();
    for (let i = 0; i < 300; i++) events.publish("container", String(i), "c", {});
    const { seen, done } = collect(events, { sinceNanos: 0n, untilNanos: nowNanos() });
    await done;
    assert.deepEqual(
      actions(seen),
      Array.from({ length: 256 }, (_, i) => String(i + 44)),
    );
  });

  test("never have the same time", async () => {
    const events = openEvents();
    for (let i = 0; i < 100; i++) events.publish("container", String(i), "c", {});
    const { seen, done } = collect(events, { sinceNanos: 0n, untilNanos: nowNanos() });
    await done;
    assert.equal(new Set(seen.map((message) => JSON.stringify(message.timeNano))).size, 100);
  });

  test("a reader that falls far behind is ended, and the others are not", async () => {
    const events = openEvents();
    const slow = events.subscribe({}, new AbortController().signal)[Symbol.asyncIterator]();
    for (let i = 0; i < 20_000; i++) events.publish("container", String(i), "c", {});
    await assert.rejects(async () => await slow.next(), /fell too far behind/);
    const { seen, done, abort } = collect(events);
    events.publish("container", "more", "c", {});
    await sleep(1);
    abort();
    await done;
    assert.deepEqual(actions(seen), ["more"]);
  });
});
