import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestServer } from "./scripted-backends.ts";

/** What a call was given, without signals. */
const given = (call: unknown[] | undefined): unknown[] =>
  (call ?? []).flatMap((value) => {
    if (value instanceof AbortSignal) return [];
    if (value === null || typeof value !== "object") return [value];
    const { signal: _, ...rest } = value as Record<string, unknown>;
    return [rest];
  });

describe("a request that asks registries", () => {
  const headers = { "x-registry-auth": "e30=" };

  test("pull: name, tag or digest, platform, credentials", async () => {
    await using server = await TestServer.start({ images: { pull: async function* () {} } });
    const digest = `sha256:${"a".repeat(64)}`;
    for (const [query, expected] of [
      ["fromImage=x", ["x", {}]],
      ["fromImage=x:", ["x", {}]],
      ["fromImage=x:1", ["x:1", {}]],
      ["fromImage=x&tag=1&platform=linux/arm64", ["x:1", { platform: "linux/arm64" }]],
      [`fromImage=x&tag=${digest}`, [`x@${digest}`, {}]],
    ] as const) {
      assert.equal((await server.request("POST", `/images/create?${query}`)).status, 200);
      assert.deepEqual(given(server.calls.at(-1)), ["images.pull", ...expected]);
    }
    await server.request("POST", "/images/create?fromImage=x", undefined, headers);
    assert.deepEqual(given(server.calls.at(-1)), ["images.pull", "x", { auth: "e30=" }]);
  });

  test("search, login, distribution", async () => {
    await using server = await TestServer.start({
      registries: {
        search: async () => [],
        login: async () => ({ Status: "Login Succeeded", IdentityToken: "" }),
        inspect: async () => ({ Descriptor: { mediaType: "m", digest: `sha256:${"a".repeat(64)}` as never, size: 1 }, Platforms: [] }),
      },
    });
    const filters = encodeURIComponent('{"stars":{"3":true}}');
    await server.request("GET", `/images/search?term=a%20b&limit=7&filters=${filters}`, undefined, headers);
    assert.deepEqual(given(server.calls.at(-1)), [
      "registries.search",
      "a b",
      { limit: 7, filters: new Map([["stars", ["3"]]]), auth: "e30=" },
    ]);
    assert.equal((await server.request("GET", "/images/search?term=a&limit=x")).status, 400);
    const answer = await server.request("POST", "/auth", '{"username":"me"}');
    assert.deepEqual(JSON.parse(answer.body), { Status: "Login Succeeded", IdentityToken: "" });
    assert.deepEqual(given(server.calls.at(-1)), ["registries.login", { username: "me" }]);
    await server.request("GET", "/distribution/r:5000/a/b:1/json", undefined, headers);
    assert.deepEqual(given(server.calls.at(-1)), ["registries.inspect", "r:5000/a/b:1", { auth: "e30=" }]);
  });
});
