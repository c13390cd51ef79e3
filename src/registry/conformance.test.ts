/** What the OCI distribution specification 1.1 demands of a registry; docs/registry-conformance.md names these tests. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { mediaTypes } from "./manifest.ts";
import { type Answer, descriptor, imageManifest, ScratchRegistry, sha256 } from "./scratch-registry.ts";

let registry: ScratchRegistry;
before(async () => {
  registry = await ScratchRegistry.open();
});
after(() => registry[Symbol.asyncDispose]());

const codeOf = (answer: Answer): string | undefined => answer.json.errors?.[0]?.code;
const none = sha256("nothing has these bytes");

describe("pull", () => {
  test("the base answers 200", async () => {
    for (const path of ["/v2/", "/v2"]) assert.equal((await registry.ask("GET", path)).status, 200);
  });

  test("a manifest is served by tag and digest, in the bytes that were pushed, with type, digest and length", async () => {
    const { digest, manifest } = await registry.pushImage("pull/one", "v1");
    for (const reference of ["v1", digest]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await registry.ask(method, `/v2/pull/one/manifests/${reference}`);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers["content-type"], mediaTypes.ociManifest);
        assert.equal(answer.headers["docker-content-digest"], digest);
        assert.equal(answer.headers["content-length"], String(manifest.length));
        assert.equal(answer.body.toString(), method === "GET" ? manifest : "");
      }
    }
  });

  test("a manifest that is not there is 404", async () => {
    await registry.pushImage("pull/two", "v1");
    for (const reference of ["v2", none]) {
      const answer = await registry.ask("GET", `/v2/pull/two/manifests/${reference}`);
      assert.deepEqual([answer.status, codeOf(answer)], [404, "MANIFEST_UNKNOWN"]);
      assert.equal((await registry.ask("HEAD", `/v2/pull/two/manifests/${reference}`)).status, 404);
    }
    assert.equal(codeOf(await registry.ask("GET", "/v2/pull/never/manifests/v1")), "NAME_UNKNOWN");
  });

  test("a blob is served with its digest and length; one of another repository is 404", async () => {
    const digest = await registry.pushBlob("pull/blobs", "some bytes");
    const answer = await registry.ask("GET", `/v2/pull/blobs/blobs/${digest}`);
    assert.deepEqual([answer.status, answer.body.toString()], [200, "some bytes"]);
    assert.equal(answer.headers["docker-content-digest"], digest);
    const head = await registry.ask("HEAD", `/v2/pull/blobs/blobs/${digest}`);
    assert.deepEqual([head.status, head.headers["content-length"]], [200, "10"]);
    for (const path of [`/v2/pull/blobs/blobs/${none}`, `/v2/pull/elsewhere/blobs/${digest}`]) {
      const missing = await registry.ask("GET", path);
      assert.deepEqual([missing.status, codeOf(missing)], [404, "BLOB_UNKNOWN"]);
      assert.equal((await registry.ask("HEAD", path)).status, 404);
    }
  });

  test("parts of a blob are served by Range (RFC 9110)", async () => {
    const data = randomBytes(3_000_000);
    const digest = await registry.pushBlob("pull/ranges", data);
    const get = (range: string, more = {}): Promise<Answer> =>
      registry.ask("GET", `/v2/pull/ranges/blobs/${digest}`, { headers: { Range: range, ...more } });
    const cases: [string, number, number][] = [
      ["bytes=0-9", 0, 9],
      ["bytes=100-", 100, data.length - 1],
      ["bytes=-100", data.length - 100, data.length - 1],
      ["bytes=5-99999999", 5, data.length - 1],
      ["bytes=-99999999", 0, data.length - 1],
    ];
    for (const [range, start, end] of cases) {
      const answer = await get(range);
      assert.equal(answer.status, 206, range);
      assert.equal(answer.headers["content-range"], `bytes ${start}-${end}/${data.length}`);
      assert.ok(answer.body.equals(data.subarray(start, end + 1)), range);
    }
    for (const range of [`bytes=${data.length}-`, "bytes=-0"]) {
      const answer = await get(range);
      assert.deepEqual([answer.status, answer.headers["content-range"]], [416, `bytes */${data.length}`]);
    }
    for (const range of ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=-"]) assert.equal((await get(range)).status, 200, range);
    assert.equal((await get("bytes=0-9", { "If-Range": '"other"' })).status, 200);
    assert.equal((await get("bytes=0-9", { "If-None-Match": `"${digest}"` })).status, 304);
  });

  test("names, digests and tags that are none are refused", async () => {
    for (const name of ["UPPER", "a//b", "-a", "a_", "a..b", "%2e%2e", "a/../b", "b".repeat(256), "%00", "a%0ab"]) {
      const answer = await registry.ask("GET", `/v2/${name}/tags/list`);
      assert.deepEqual([answer.status, codeOf(answer)], [400, "NAME_INVALID"], name);
    }
    for (const digest of ["sha256:12", `md5:${"0".repeat(32)}`, `sha256:${"G".repeat(64)}`, "sha256:..%2f..%2fetc"]) {
      assert.equal(codeOf(await registry.ask("GET", `/v2/a/blobs/${digest}`)), "DIGEST_INVALID", digest);
      assert.equal((await registry.ask("GET", `/v2/a/manifests/${digest}`)).status, 400, digest);
    }
    for (const tag of ["-x", ".x", "a+b", "x".repeat(129)])
      assert.equal((await registry.ask("GET", `/v2/a/manifests/${tag}`)).status, 400, tag);
  });

  test("names and tags at the ends of their grammars are taken", async () => {
    for (const name of ["a", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1.2/c__d-e", `${"n/".repeat(127)}n`]) {
      const { digest } = await registry.pushImage(name, "v1", 0);
      for (const tag of ["_", "A", "0.-", "x".repeat(128)]) {
        const { body } = await registry.ask("GET", `/v2/${name}/manifests/${digest}`);
        assert.equal((await registry.putManifest(name, tag, body.toString())).status, 201, `${name}:${tag}`);
        assert.equal((await registry.ask("GET", `/v2/${name}/manifests/${tag}`)).status, 200, `${name}:${tag}`);
      }
    }
  });
});

describe("push", () => {
  const locationOf = (answer: Answer): string => {
    assert.ok(answer.headers.location, "there is a Location");
    return answer.headers.location;
  };

  test("POST, then PUT of the whole", async () => {
    const begun = await registry.ask("POST", "/v2/push/two/blobs/uploads/");
    assert.equal(begun.status, 202);
    assert.match(locationOf(begun), /\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "a UUID");
    assert.notEqual(locationOf(await registry.ask("POST", "/v2/push/two/blobs/uploads/")), locationOf(begun));
    const ended = await registry.ask("PUT", `${locationOf(begun)}?digest=${sha256("whole")}`, {
      body: "whole",
      headers: { "Content-Type": "application/octet-stream" },
    });
    assert.equal(ended.status, 201);
    assert.equal((await registry.ask("GET", locationOf(ended))).body.toString(), "whole");
  });

  test("one POST with the whole", async () => {
    const answer = await registry.ask("POST", `/v2/push/one/blobs/uploads/?digest=${sha256("at once")}`, { body: "at once" });
    assert.equal(answer.status, 201);
    assert.equal((await registry.ask("GET", locationOf(answer))).body.toString(), "at once");
  });

  test("chunks in order, each with its range, and where the upload is", async () => {
    const begun = await registry.ask("POST", "/v2/push/chunks/blobs/uploads/", { headers: { "Content-Length": "0" } });
    let location = locationOf(begun);
    const chunk = async (body: string, range: string): Promise<Answer> => {
      const answer = await registry.ask("PATCH", location, { body, headers: { "Content-Range": range, "Content-Length": body.length } });
      if (answer.status === 202) location = locationOf(answer);
      return answer;
    };
    const first = await chunk("hello ", "0-5");
    assert.deepEqual([first.status, first.headers.range], [202, "0-5"]);
    const state = await registry.ask("GET", location);
    assert.deepEqual([state.status, state.headers.range, typeof state.headers.location], [204, "0-5", "string"]);
    assert.equal((await registry.ask("HEAD", location)).headers.range, "0-5", "as docker-registry has it");
    for (const range of ["7-11", "0-4", "5-9"]) {
      const wrong = await chunk("world", range);
      assert.deepEqual([wrong.status, wrong.headers.range], [416, "0-5"], range);
    }
    assert.deepEqual([(await chunk("world", "6-10")).status, (await registry.ask("GET", location)).headers.range], [202, "0-10"]);
    const late = await registry.ask("PUT", `${location}?digest=${sha256("hello world!")}`, {
      body: "!",
      headers: { "Content-Range": "3-3" },
    });
    assert.equal(late.status, 416);
    const ended = await registry.ask("PUT", `${location}?digest=${sha256("hello world!")}`, {
      body: "!",
      headers: { "Content-Range": "11-11" },
    });
    assert.equal(ended.status, 201);
    assert.equal((await registry.ask("GET", locationOf(ended))).body.toString(), "hello world!");
    assert.equal((await registry.ask("GET", location)).status, 404, "the upload is over");
  });

  test("a chunk that is not as long as it says", async () => {
    const location = locationOf(await registry.ask("POST", "/v2/push/lengths/blobs/uploads/"));
    const lengths = await registry.ask("PATCH", location, { body: "abc", headers: { "Content-Range": "0-9", "Content-Length": 3 } });
    assert.deepEqual([lengths.status, codeOf(lengths)], [400, "SIZE_INVALID"]);
    const streamed = await registry.ask("PATCH", location, {
      body: "abc",
      headers: { "Content-Range": "0-9", "Transfer-Encoding": "chunked" },
    });
    assert.deepEqual([streamed.status, codeOf(streamed)], [400, "SIZE_INVALID"]);
    assert.equal(
      (await registry.ask("PUT", `${location}?digest=${sha256("right")}`, { body: "right" })).status,
      201,
      "nothing of it stayed",
    );
  });

  test("bytes that are not what the digest says are thrown away", async () => {
    for (const path of [`/v2/push/wrong/blobs/uploads/?digest=${none}`, "/v2/push/wrong/blobs/uploads/?digest=sha256:x"]) {
      const answer = await registry.ask("POST", path, { body: "other bytes" });
      assert.deepEqual([answer.status, codeOf(answer)], [400, "DIGEST_INVALID"]);
    }
    const location = locationOf(await registry.ask("POST", "/v2/push/wrong/blobs/uploads/"));
    assert.equal(codeOf(await registry.ask("PUT", location, { body: "x" })), "DIGEST_INVALID");
    assert.equal(codeOf(await registry.ask("PUT", `${location}?digest=${none}`, { body: "x" })), "DIGEST_INVALID");
    assert.equal((await registry.ask("GET", location)).status, 404);
    assert.equal((await registry.ask("HEAD", `/v2/push/wrong/blobs/${none}`)).status, 404);
  });

  test("an upload can be given up, and belongs to its repository", async () => {
    const location = locationOf(await registry.ask("POST", "/v2/push/given/blobs/uploads/"));
    await registry.ask("PATCH", location, { body: "abc" });
    for (const method of ["GET", "PATCH", "DELETE"])
      assert.equal((await registry.ask(method, location.replace("given", "other"))).status, 404, method);
    assert.equal((await registry.ask("DELETE", location)).status, 204);
    const gone = await registry.ask("GET", location);
    assert.deepEqual([gone.status, codeOf(gone)], [404, "BLOB_UPLOAD_UNKNOWN"]);
    assert.equal((await registry.ask("GET", "/v2/push/given/blobs/uploads/..%2f..%2fregistry.db")).status, 404);
  });

  test("a blob is mounted from a repository that has it, else an upload begins", async () => {
    const digest = await registry.pushBlob("push/from", "mounted bytes");
    const mounted = await registry.ask("POST", `/v2/push/to/blobs/uploads/?mount=${digest}&from=push/from`);
    assert.equal(mounted.status, 201);
    assert.equal((await registry.ask("GET", locationOf(mounted))).body.toString(), "mounted bytes");
    assert.equal((await registry.ask("POST", `/v2/push/auto/blobs/uploads/?mount=${digest}`)).status, 201);
    for (const query of [`mount=${none}&from=push/from`, `mount=${digest}&from=push/never`, `mount=${none}`, "mount=x&from=y"]) {
      const begun = await registry.ask("POST", `/v2/push/else/blobs/uploads/?${query}`);
      assert.equal(begun.status, 202, query);
      assert.equal((await registry.ask("DELETE", locationOf(begun))).status, 204);
    }
  });

  test("sha512 digests", async () => {
    const digest = `sha512:${createHash("sha512").update("long").digest("hex")}`;
    const answer = await registry.ask("POST", `/v2/push/long/blobs/uploads/?digest=${digest}`, { body: "long" });
    assert.equal(answer.status, 201);
    assert.equal((await registry.ask("GET", `/v2/push/long/blobs/${digest}`)).body.toString(), "long");
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
    const own = `sha512:${createHash("sha512").update(manifest).digest("hex")}`;
    const put = await registry.putManifest("push/long", own, manifest);
    assert.deepEqual([put.status, put.headers["docker-content-digest"]], [201, own]);
    assert.equal((await registry.ask("GET", `/v2/push/long/manifests/${own}`)).body.toString(), manifest);
  });

  test("a manifest is pushed by tag and digest, with a Location to pull it from", async () => {
    const { manifest, digest } = await registry.pushImage("push/manifests", "first");
    for (const reference of ["second", digest]) {
      const answer = await registry.putManifest("push/manifests", reference, manifest);
      assert.deepEqual([answer.status, answer.headers["docker-content-digest"]], [201, digest]);
      assert.equal((await registry.ask("GET", locationOf(answer))).body.toString(), manifest);
    }
    const described = await registry.putManifest("push/manifests", "third", manifest, `${mediaTypes.ociManifest}; charset=utf-8`);
    assert.equal(described.status, 201, "parameters of a type are passed over");
    assert.equal((await registry.ask("GET", locationOf(described))).headers["content-type"], mediaTypes.ociManifest);
    const wrong = await registry.putManifest("push/manifests", none, manifest);
    assert.deepEqual([wrong.status, codeOf(wrong)], [400, "DIGEST_INVALID"]);
  });

  test("a manifest needs its blobs in its repository; an index does not need all of its manifests", async () => {
    const config = "{}";
    const put = await registry.putManifest("push/needs", "v1", imageManifest([config, "layer"]));
    assert.deepEqual([put.status, codeOf(put), put.json.errors?.length], [404, "MANIFEST_BLOB_UNKNOWN", 1]);
    await registry.pushBlob("push/elsewhere", config);
    await registry.pushBlob("push/needs", "layer");
    assert.equal((await registry.putManifest("push/needs", "v1", imageManifest([config, "layer"]))).status, 404);
    const foreign = { ...descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "far"), urls: ["https://x/"] };
    const far = { ...imageManifest(["layer"], { mediaType: mediaTypes.dockerManifest }), layers: [foreign] };
    assert.equal((await registry.putManifest("push/needs", "far", far)).status, 201);
    const child = { ...descriptor(mediaTypes.ociManifest, "somewhere"), platform: { os: "linux", architecture: "riscv64" } };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };
    assert.equal((await registry.putManifest("push/needs", "all", index)).status, 201);
  });

  test("a manifest that is none, or two things at once, is refused", async () => {
    const base = imageManifest(["{}"]);
    const bad: (object | string)[] = [
      "{",
      "[]",
      "null",
      { ...base, schemaVersion: 1 },
      { ...base, manifests: [] },
      { ...base, config: {} },
      { ...base, layers: [{ digest: "x" }] },
      { ...base, layers: [{ ...descriptor("a", "x"), size: -1 }] },
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], layers: [] },
      { ...base, mediaType: "application/json" },
    ];
    for (const manifest of bad) {
      const answer = await registry.putManifest("push/bad", "v1", manifest, mediaTypes.ociManifest);
      assert.deepEqual([answer.status, codeOf(answer)], [400, "MANIFEST_INVALID"], JSON.stringify(manifest));
    }
    const other = await registry.putManifest("push/bad", "v1", base, mediaTypes.dockerManifest);
    assert.equal(codeOf(other), "MANIFEST_INVALID");
    const schema1 = await registry.putManifest(
      "push/bad",
      "v1",
      { schemaVersion: 1, fsLayers: [] },
      "application/vnd.docker.distribution.manifest.v1+json",
    );
    assert.match(schema1.json.errors?.[0]?.message ?? "", /schema 1/);
  });

  test("a manifest of 4 MiB is taken, a larger one is 413", async () => {
    const manifest = (bytes: number): string => {
      const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: { a: "" } });
      return text.replace('""', `"${"x".repeat(bytes - text.length)}"`);
    };
    assert.equal((await registry.putManifest("push/large", "most", manifest(4 << 20))).status, 201);
    assert.equal((await registry.putManifest("push/large", "more", manifest((4 << 20) + 1))).status, 413);
  });

  test("a manifest with a subject that is not there is taken, and told by OCI-Subject", async () => {
    await registry.pushBlob("push/subject", "{}");
    const subject = descriptor(mediaTypes.ociManifest, "not here yet");
    const answer = await registry.putManifest("push/subject", "v1", imageManifest(["{}"], { subject }));
    assert.deepEqual([answer.status, answer.headers["oci-subject"]], [201, subject.digest]);
  });
});

describe("content discovery", () => {
  test("tags are listed in the order of their bytes, in pages by n and last", async () => {
    const { manifest } = await registry.pushImage("find/tags", "b");
    for (const tag of ["a", "Z", "c", "_1", "B"]) assert.equal((await registry.putManifest("find/tags", tag, manifest)).status, 201);
    const list = async (query: string): Promise<[unknown, string | undefined]> => {
      const answer = await registry.ask("GET", `/v2/find/tags/tags/list${query}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.json["name"], "find/tags");
      return [answer.json["tags"], answer.headers.link as string | undefined];
    };
    assert.deepEqual(await list(""), [["B", "Z", "_1", "a", "b", "c"], undefined]);
    assert.deepEqual(await list("?n=0"), [[], undefined]);
    assert.deepEqual(await list("?last=a"), [["b", "c"], undefined]);
    assert.deepEqual(await list("?n=2&last=b"), [["c"], undefined]);
    const seen: string[] = [];
    for (let next: string | undefined = "?n=4"; next !== undefined; ) {
      const [tags, link]: [unknown, string | undefined] = await list(next);
      seen.push(...(tags as string[]));
      next = link === undefined ? undefined : /^<\/v2\/find\/tags\/tags\/list(\?[^>]+)>; rel="next"$/.exec(link)?.[1];
      assert.equal(next === undefined, seen.length === 6);
    }
    assert.deepEqual(seen, ["B", "Z", "_1", "a", "b", "c"]);
    assert.equal((await registry.ask("GET", "/v2/find/tags/tags/list?n=-1")).status, 400);
    assert.deepEqual(codeOf(await registry.ask("GET", "/v2/find/nothing/tags/list")), "NAME_UNKNOWN");
  });

  test("referrers are an index of what has the subject, with artifact types and annotations", async () => {
    const { digest } = await registry.pushImage("find/referrers", "v1");
    const subject = { mediaType: mediaTypes.ociManifest, digest, size: 1 };
    await registry.pushBlob("find/referrers", "{}");
    const typed = JSON.stringify(imageManifest(["{}"], { subject, artifactType: "application/x.sbom", annotations: { made: "today" } }));
    const untyped = JSON.stringify(imageManifest(["{}"], { subject }));
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
      subject,
      artifactType: "application/x.list",
    });
    const bare = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], subject, annotations: { of: "none" } });
    for (const manifest of [typed, untyped, index, bare]) await registry.putManifest("find/referrers", sha256(manifest), manifest);
    const list = async (query = ""): Promise<Answer> => registry.ask("GET", `/v2/find/referrers/referrers/${digest}${query}`);
    const all = await list();
    assert.deepEqual([all.status, all.headers["content-type"]], [200, mediaTypes.ociIndex]);
    assert.deepEqual([all.json["schemaVersion"], all.json["mediaType"]], [2, mediaTypes.ociIndex]);
    const expected = [
      { ...descriptor(mediaTypes.ociManifest, typed), artifactType: "application/x.sbom", annotations: { made: "today" } },
      { ...descriptor(mediaTypes.ociManifest, untyped), artifactType: "application/vnd.oci.image.config.v1+json" },
      { ...descriptor(mediaTypes.ociIndex, index), artifactType: "application/x.list" },
      { ...descriptor(mediaTypes.ociIndex, bare), annotations: { of: "none" } },
    ];
    const sorted = (list: unknown): unknown[] => (list as { digest: string }[]).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    assert.deepEqual(sorted(all.json["manifests"]), sorted(expected));
    const filtered = await list("?artifactType=application/x.sbom");
    assert.deepEqual([filtered.json["manifests"], filtered.headers["oci-filters-applied"]], [[expected[0]], "artifactType"]);
    const paged: unknown[] = [];
    for (let next: string | undefined = "?n=1"; next !== undefined; ) {
      const page: Answer = await list(next);
      paged.push(...(page.json["manifests"] as unknown[]));
      next = /(\?[^>]+)>/.exec(String(page.headers.link))?.[1];
    }
    assert.deepEqual(sorted(paged), sorted(expected));
    await registry.ask("DELETE", `/v2/find/referrers/manifests/${sha256(typed)}`);
    assert.equal(((await list()).json["manifests"] as unknown[]).length, 3);
  });

  test("no referrers are an empty index, whatever there is", async () => {
    for (const repository of ["find/referrers", "find/nobody"]) {
      const answer = await registry.ask("GET", `/v2/${repository}/referrers/${none}`);
      assert.deepEqual([answer.status, answer.json["manifests"]], [200, []]);
    }
    assert.equal((await registry.ask("GET", "/v2/find/referrers/referrers/sha256:x")).status, 400);
  });

  test("the catalog lists repositories in pages", async () => {
    for (const name of ["zoo/a", "zoo/b", "zoo/c"]) await registry.pushImage(name, "v1", 0);
    const seen: string[] = [];
    for (let next: string | undefined = "/v2/_catalog?n=2&last=zoo"; next !== undefined; ) {
      const answer: Answer = await registry.ask("GET", next);
      seen.push(...(answer.json["repositories"] as string[]));
      next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
    }
    assert.deepEqual(seen, ["zoo/a", "zoo/b", "zoo/c"]);
  });
});

describe("content management", () => {
  test("a tag is deleted alone, a manifest with its tags", async () => {
    const { digest, manifest } = await registry.pushImage("manage/tags", "a");
    await registry.putManifest("manage/tags", "b", manifest);
    assert.equal((await registry.ask("DELETE", "/v2/manage/tags/manifests/a")).status, 202);
    assert.equal((await registry.ask("GET", "/v2/manage/tags/manifests/a")).status, 404);
    assert.equal((await registry.ask("GET", `/v2/manage/tags/manifests/${digest}`)).status, 200);
    assert.equal((await registry.ask("DELETE", `/v2/manage/tags/manifests/${digest}`)).status, 202);
    for (const reference of ["b", digest]) assert.equal((await registry.ask("GET", `/v2/manage/tags/manifests/${reference}`)).status, 404);
    const again = await registry.ask("DELETE", `/v2/manage/tags/manifests/${digest}`);
    assert.deepEqual([again.status, codeOf(again)], [404, "MANIFEST_UNKNOWN"]);
    for (const reference of ["a", none])
      assert.equal((await registry.ask("DELETE", `/v2/manage/never/manifests/${reference}`)).status, 404);
    assert.deepEqual((await registry.ask("GET", "/v2/manage/tags/tags/list")).json["tags"], []);
  });

  test("a blob is deleted from its repository alone", async () => {
    const digest = await registry.pushBlob("manage/one", "shared");
    await registry.pushBlob("manage/two", "shared");
    assert.equal((await registry.ask("DELETE", `/v2/manage/one/blobs/${digest}`)).status, 202);
    assert.equal((await registry.ask("GET", `/v2/manage/one/blobs/${digest}`)).status, 404);
    assert.equal((await registry.ask("GET", `/v2/manage/two/blobs/${digest}`)).status, 200);
    const again = await registry.ask("DELETE", `/v2/manage/one/blobs/${digest}`);
    assert.deepEqual([again.status, codeOf(again)], [404, "BLOB_UNKNOWN"]);
  });

  test("a blob that a manifest names stays until the manifest is gone", async () => {
    const { digest, blobs } = await registry.pushImage("manage/used", "v1");
    for (const blob of blobs) {
      const refused = await registry.ask("DELETE", `/v2/manage/used/blobs/${blob}`);
      assert.deepEqual([refused.status, codeOf(refused)], [405, "DENIED"]);
      assert.equal((await registry.ask("GET", `/v2/manage/used/blobs/${blob}`)).status, 200);
    }
    assert.equal((await registry.ask("DELETE", `/v2/manage/used/manifests/${digest}`)).status, 202);
    for (const blob of blobs) {
      assert.equal((await registry.ask("DELETE", `/v2/manage/used/blobs/${blob}`)).status, 202);
      assert.equal((await registry.ask("GET", `/v2/manage/used/blobs/${blob}`)).status, 404);
    }
  });
});

test("errors are JSON with one of the specification's codes", async () => {
  const codes = `BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID MANIFEST_UNKNOWN
    NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS`.split(/\s+/);
  for (const [method, path] of [
    ["GET", "/v2/a/manifests/none"],
    ["GET", "/v3/"],
    ["POST", "/v2/a/manifests/v1"],
    ["GET", "/v2/a/blobs/uploads/"],
    ["PATCH", `/v2/a/blobs/${none}`],
    ["DELETE", "/v2/a/tags/list"],
    ["DELETE", "/v2/never/manifests/v1"],
    ["GET", "/v2/a/manifests/-x"],
    ["GET", "/v2/a/tags/list?n=x"],
    ["GET", "/v2/A/tags/list"],
    ["GET", "/v2/a/blobs/uploads/x"],
    ["PUT", `/v2/a/manifests/${none}`],
  ] as const) {
    const answer = await registry.ask(method, path);
    assert.ok(answer.status >= 400 && answer.status < 500, `${method} ${path}: ${answer.status}`);
    assert.match(answer.headers["content-type"] ?? "", /^application\/json/);
    assert.deepEqual(Object.keys(answer.json), ["errors"]);
    assert.ok(codes.includes(codeOf(answer) ?? ""), `${method} ${path}: ${codeOf(answer)}`);
  }
});

test("what a client accepts decides, as with docker-registry", async () => {
  const { digest, manifest } = await registry.pushImage("accept/one", "oci");
  const get = (tag: string, accept: string): Promise<Answer> =>
    registry.ask("GET", `/v2/accept/one/manifests/${tag}`, { headers: { Accept: accept } });
  assert.equal((await get("oci", mediaTypes.dockerManifest)).status, 404);
  for (const accept of ["*/*", mediaTypes.ociManifest, `${mediaTypes.dockerManifest}, ${mediaTypes.ociManifest};q=0.5`])
    assert.equal((await get("oci", accept)).status, 200, accept);
  const config = await registry.pushBlob("accept/one", "{}");
  const child = JSON.stringify(imageManifest(["{}"], { mediaType: mediaTypes.dockerManifest }));
  assert.ok(child.includes(config));
  assert.equal((await registry.putManifest("accept/one", sha256(child), child)).status, 201);
  const list = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerList,
    manifests: [
      { ...descriptor(mediaTypes.ociManifest, manifest), platform: { os: "linux", architecture: "arm64" } },
      { ...descriptor(mediaTypes.dockerManifest, child), platform: { os: "linux", architecture: "amd64" } },
    ],
  };
  assert.equal((await registry.putManifest("accept/one", "list", list)).status, 201);
  assert.equal((await get("list", mediaTypes.dockerManifest)).body.toString(), child);
  assert.equal(
    (await get("list", `${mediaTypes.dockerManifest}, ${mediaTypes.dockerList}`)).headers["content-type"],
    mediaTypes.dockerList,
  );
  const same = await registry.ask("GET", "/v2/accept/one/manifests/oci", { headers: { "If-None-Match": `"${digest}"` } });
  assert.equal(same.status, 304);
});
