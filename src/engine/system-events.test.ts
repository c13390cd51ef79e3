import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventMessage } from "../spec/spec.ts";
import { matchesFilters } from "./system-events.ts";

const container = (Action: string): EventMessage => ({
  Type: "container",
  Action,
  Actor: { ID: "abcdef0123", Attributes: { image: "registry:5000/busybox:1.36", name: "web", tier: "front", empty: "" } },
  scope: "local",
});
const image: EventMessage = { Type: "image", Action: "tag", Actor: { ID: "sha256:1234", Attributes: { name: "busybox:1.36" } } };

const matches = (message: EventMessage, ...filters: [string, ...string[]][]): boolean =>
  matchesFilters(message, new Map(filters.map(([key, ...values]) => [key, values])));

test("a filter shows what it names", () => {
  assert.ok(matches(container("start")));
  assert.ok(matches(container("start"), ["event", "die", "start"], ["type", "container"]));
  assert.ok(!matches(container("start"), ["event", "die"]));
  assert.ok(!matches(container("start"), ["event", "sta"]));
  assert.ok(!matches(container("start"), ["type", "image"]));
  assert.ok(!matches(container("start"), ["event", "start"], ["type", "network"]));
  assert.ok(matches(container("start"), ["scope", "local"]));
  assert.ok(!matches(container("start"), ["scope", "swarm"]));
});

test("commands behind a colon need not be named", () => {
  assert.ok(matches(container("exec_create: sh -c ls"), ["event", "exec_create"]));
  assert.ok(matches(container("health_status: healthy"), ["event", "health_status"]));
  assert.ok(!matches(container("health_status: healthy"), ["event", "exec_start"]));
});

test("containers are named by the beginning of their id or name", () => {
  for (const reference of ["abcdef", "abcdef0123", "we", "web"])
    assert.ok(matches(container("start"), ["container", reference]), reference);
  assert.ok(!matches(container("start"), ["container", "other"]));
  assert.ok(!matches(image, ["container", "web"]));
});

test("images are named with or without their tag, also for containers of them", () => {
  for (const name of ["busybox", "busybox:1.36", "sha256:1234"]) assert.ok(matches(image, ["image", name]), name);
  assert.ok(!matches(image, ["image", "busybox:2"]));
  assert.ok(matches(container("start"), ["image", "registry:5000/busybox"]));
  assert.ok(!matches(container("start"), ["image", "registry"]));
});

test("all labels have to match", () => {
  assert.ok(matches(container("start"), ["label", "tier"]));
  assert.ok(matches(container("start"), ["label", "tier=front", "empty="]));
  assert.ok(!matches(container("start"), ["label", "tier=front", "other"]));
  assert.ok(!matches(container("start"), ["label", "tier="]));
});
