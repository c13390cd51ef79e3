import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCommandLine, UsageError, usage } from "./command-line.ts";
import type { RegistryOptions } from "./open.ts";

function optionsOf(...args: string[]): RegistryOptions {
  const command = readCommandLine(["serve", "--root", "/x", ...args]);
  assert.ok(command.run === "serve");
  return command.options;
}

test("what is said is what is done", () => {
  assert.deepEqual(optionsOf().address, { host: "127.0.0.1", port: 5000 });
  assert.deepEqual(optionsOf("--addr", "[::1]:80").address, { host: "::1", port: 80 });
  assert.deepEqual(optionsOf("--addr=:80").address, { host: "", port: 80 });
  assert.equal(optionsOf("--gc-grace", "90m").graceMs, 5_400_000);
  assert.equal(optionsOf("--gc-interval", "0").gcIntervalMs, 0);
  assert.equal(optionsOf("--max-upload", "1g").maxUploadBytes, 2 ** 30);
  assert.deepEqual(optionsOf("--htpasswd", "/f", "--realm", 'a"b').access, { kind: "htpasswd", file: "/f", realm: "ab" });
  const upstreams = optionsOf("--proxy", "docker.io=https://registry-1.docker.io", "--proxy", "Localhost:5000=http://localhost:5000").mirror
    ?.upstreams;
  assert.deepEqual([...(upstreams?.keys() ?? [])], ["docker.io", "localhost-5000"]);
});

test("credentials for upstreams come from docker's file", () => {
  const folder = mkdtempSync("/tmp/berth-test-auth-");
  try {
    const file = join(folder, "config.json");
    const auth = Buffer.from("me:with:colons").toString("base64");
    writeFileSync(file, JSON.stringify({ auths: { "https://index.docker.io/v1/": { auth }, "ghcr.io": { auth }, "empty.io": {} } }));
    const find = optionsOf("--proxy", "x=https://x", "--proxy-auth", file).mirror?.credentialsFor;
    for (const host of ["registry-1.docker.io", "ghcr.io"]) assert.deepEqual(find?.(host), { user: "me", password: "with:colons" });
    for (const host of ["empty.io", "evil.io", "notdocker.io", "xghcr.io"]) assert.equal(find?.(host), undefined, host);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what is a mistake is told", () => {
  for (const args of [
    [],
    ["fly"],
    ["serve", "--nope"],
    ["serve", "extra"],
    ["serve", "--addr", "5000"],
    ["serve", "--addr", "x:99999"],
    ["serve", "--gc-grace", "soon"],
    ["serve", "--max-upload", "much"],
    ["serve", "--tls-cert", "/c"],
    ["serve", "--token-realm", "https://x"],
    ["serve", "--proxy", "docker.io"],
    ["serve", "--proxy", "../x=https://x"],
    ["serve", "--proxy", "x=ftp://x"],
    ["serve", "--proxy", "x=https://me:secret@x"],
    ["serve", "--log-level", "loud"],
    ["gc", "--addr", "x:1"],
    ["passwd"],
    ["passwd", "a:b"],
    ["passwd", "a", "b"],
    ["passwd", "a", "--root", "/x"],
  ])
    assert.throws(() => readCommandLine(args), UsageError, args.join(" "));
  assert.equal(readCommandLine(["gc", "--help"]).run, "help");
  assert.match(usage("serve"), /--proxy prefix=url/);
  assert.deepEqual(readCommandLine(["passwd", "sailor"]), { run: "passwd", user: "sailor" });
  assert.match(usage("passwd"), /^Usage: {2}berth registry passwd USER < FILE\n/);
});
