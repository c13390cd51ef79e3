import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Digest, parseReference } from "../base/base.ts";
import type { Distribution, Remote } from "../distribution/distribution.ts";
import { openDistribution } from "../distribution/open.ts";
import { ScratchRegistry } from "../registry/scratch-registry.ts";
import { parsePolicy } from "./policy.ts";
import { openTrust, type Trust } from "./trust.ts";

const pairs = {
  ecdsa: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ed25519: generateKeyPairSync("ed25519"),
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  other: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
type Kind = keyof typeof pairs;
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }) as string;
const publicKey = (kind: Kind): string => pem(pairs[kind].publicKey);
const signed = (kind: Kind, data: string): string =>
  sign(kind === "ed25519" ? null : "sha256", Buffer.from(data), pairs[kind].privateKey).toString("base64");

const payloadOf = (name: string, digest: string, optional: unknown = null): string =>
  JSON.stringify({
    critical: {
      identity: { "docker-reference": name },
      image: { "docker-manifest-digest": digest },
      type: "cosign container image signature",
    },
    optional,
  });

interface Layer {
  readonly payload: string;
  readonly signature: string;
  readonly mediaType?: string;
}

class Bench implements AsyncDisposable {
  readonly registry: ScratchRegistry;
  readonly distribution: Distribution;
  readonly root: string;
  digest = "" as Digest;

  constructor(registry: ScratchRegistry, distribution: Distribution, root: string) {
    this.registry = registry;
    this.distribution = distribution;
    this.root = root;
  }

  static async open(): Promise<Bench> {
    const registry = await ScratchRegistry.open();
    const root = await mkdtemp("/var/tmp/berth-test-trust-");
    const bench = new Bench(registry, await openDistribution({ root: join(root, "downloads"), timings: { retryMs: 5 } }), root);
    bench.digest = (await registry.pushImage("team/app", "v1")).digest as Digest;
    return bench;
  }

  get name(): string {
    return `127.0.0.1:${this.registry.port}/team/app`;
  }

  remote(name: string = `${this.name}:v1`): Remote {
    return this.distribution.remote(parseReference(name));
  }

  /** The signatures as cosign's own command puts them there. */
  async put(layers: readonly Layer[], digest: string = this.digest): Promise<void> {
    const config = await this.registry.pushBlob("team/app", "{}");
    const described = [];
    for (const { payload, signature, mediaType } of layers)
      described.push({
        mediaType: mediaType ?? "application/vnd.dev.cosign.simplesigning.v1+json",
        digest: await this.registry.pushBlob("team/app", payload),
        size: Buffer.byteLength(payload),
        annotations: { "dev.cosignproject.cosign/signature": signature },
      });
    const type = "application/vnd.oci.image.manifest.v1+json";
    const manifest = {
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: 2 },
      layers: described,
    };
    const answer = await this.registry.putManifest("team/app", `${digest.replace(":", "-")}.sig`, manifest);
    assert.equal(answer.status, 201, answer.body.toString());
  }

  trust(policy: unknown = {}): Trust {
    const keys: Record<string, string> = Object.fromEntries(Object.keys(pairs).map((kind) => [`/${kind}.pub`, publicKey(kind as Kind)]));
    const parsed = parsePolicy(policy, (path) => keys[path] ?? assert.fail(path));
    return openTrust(() => parsed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.distribution[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await rm(this.root, { recursive: true, force: true });
  }
}

describe("signatures in cosign's layout", () => {
  test("hold for each kind of key, and for no other key", async () => {
    await using bench = await Bench.open();
    const kinds: Kind[] = ["ecdsa", "ed25519", "rsa"];
    await bench.put(
      kinds.map((kind) => {
        const payload = payloadOf(bench.name, bench.digest, { by: kind });
        return { payload, signature: signed(kind, payload) };
      }),
    );
    const trust = bench.trust();
    for (const kind of kinds) {
      const [found, ...more] = await trust.verify(bench.remote(), bench.digest, [publicKey("other"), publicKey(kind)]);
      assert.deepEqual(more, []);
      assert.deepEqual(found?.annotations, { by: kind });
      assert.equal(found?.identity, bench.name);
      assert.match(found?.key ?? "", /^SHA256:[\w+/]{43}$/);
    }
    await assert.rejects(trust.verify(bench.remote(), bench.digest, [publicKey("other")]), {
      code: "Forbidden",
      message: `cannot verify ${bench.name}:v1@${bench.digest}: a signature is not by any of the keys`,
    });
    assert.equal((await trust.claims(bench.remote(), bench.digest)).length, 3);
  });

  test("do not hold for another image, another repository, changed bytes, or what is no payload", async () => {
    await using bench = await Bench.open();
    const other = (await bench.registry.pushImage("team/app", "v2")).digest;
    const good = payloadOf(bench.name, bench.digest);
    for (const [layer, message] of [
      [{ payload: payloadOf(bench.name, other), signature: signed("ecdsa", payloadOf(bench.name, other)) }, /a signature is for sha256:/],
      [
        { payload: payloadOf("evil/app", bench.digest), signature: signed("ecdsa", payloadOf("evil/app", bench.digest)) },
        /a signature is for "evil\/app"/,
      ],
      [{ payload: `${good} `, signature: signed("ecdsa", good) }, /not by any of the keys/],
      [{ payload: good, signature: "bm8gc2lnbmF0dXJl" }, /not by any of the keys/],
      [{ payload: good, signature: "" }, /not by any of the keys/],
      [{ payload: "[]", signature: signed("ecdsa", "[]") }, /a signed payload is not cosign's/],
      [{ payload: good, signature: signed("ecdsa", good), mediaType: "text/plain" }, /it has no signatures/],
      [{ payload: "x".repeat(70_000), signature: signed("ecdsa", "x".repeat(70_000)) }, /it has no signatures/],
    ] as const) {
      await bench.put([layer]);
      await assert.rejects(bench.trust().verify(bench.remote(), bench.digest, [publicKey("ecdsa")]), { code: "Forbidden", message });
    }
    // One that holds is enough, whatever else somebody has put there.
    await bench.put([
      { payload: "garbage", signature: "garbage" },
      { payload: good, signature: signed("ecdsa", good) },
    ]);
    assert.equal((await bench.trust().verify(bench.remote(), bench.digest, [publicKey("ecdsa")])).length, 1);
  });

  test("without any, and with a key that is none", async () => {
    await using bench = await Bench.open();
    const verify = (key: string): Promise<unknown> => bench.trust().verify(bench.remote(), bench.digest, [key]);
    await assert.rejects(verify(publicKey("ecdsa")), { code: "Forbidden", message: /: it has no signatures$/ });
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    const curve = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
    const secret = pairs.ecdsa.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    for (const [key, message] of [
      ["nothing", /not a public key/],
      [secret, /not a public key/],
      [pem(weak), /less than 2048 bits/],
      [pem(curve), /unsupported curve secp384r1/],
    ] as const)
      await assert.rejects(verify(key), { code: "InvalidParameter", message });
  });

  test("are added to those that are there", async () => {
    await using bench = await Bench.open();
    const trust = bench.trust();
    for (const kind of ["ecdsa", "rsa"] as const) {
      const payload = payloadOf(bench.name, bench.digest, { by: kind });
      const attached = { payload: Buffer.from(payload), signature: signed(kind, payload) };
      await trust.attach(bench.remote(), bench.digest, attached);
      await trust.attach(bench.remote(), bench.digest, attached);
    }
    for (const kind of ["ecdsa", "rsa"] as const)
      assert.equal((await trust.verify(bench.remote(), bench.digest, [publicKey(kind)])).length, 1);
    assert.equal((await trust.claims(bench.remote(), bench.digest)).length, 2);
    const wrong = { payload: Buffer.from(payloadOf(bench.name, `sha256:${"0".repeat(64)}`)), signature: "" };
    await assert.rejects(trust.attach(bench.remote(), bench.digest, wrong), { code: "InvalidParameter" });
  });
});

describe("image policy", () => {
  test("the longest name decides: accept, reject, signed by one of the keys", async () => {
    await using bench = await Bench.open();
    const host = `127.0.0.1:${bench.registry.port}`;
    const payload = payloadOf(bench.name, bench.digest);
    await bench.put([{ payload, signature: signed("rsa", payload) }]);
    const admit = (policy: unknown): Promise<void> => bench.trust(policy).admit(bench.remote(), bench.digest);
    await admit({});
    await admit({ default: "reject", [host]: "accept" });
    await admit({ [host]: "reject", [`${host}/team`]: "accept" });
    await admit({ [host]: "reject", [`${host}/team/app`]: { signedBy: ["/ecdsa.pub", "/rsa.pub"] } });
    await admit({ [`${host}/te`]: "reject" });
    await assert.rejects(admit({ default: "reject" }), {
      code: "Forbidden",
      message: `image policy "default" refuses ${bench.name}:v1@${bench.digest}: nothing may be pulled from there`,
    });
    await assert.rejects(admit({ [`${host}/team/`]: "reject" }), /image policy ".*\/team" refuses/);
    await assert.rejects(admit({ default: { signedBy: "/ecdsa.pub" } }), /not by any of the keys/);
    assert.match(bench.trust({ default: { signedBy: "/rsa.pub" } }).ruleFor(bench.remote()), /^default: signed by SHA256:/);
  });

  test("what is no policy is told", () => {
    const read = (path: string): string => (path === "/good" ? publicKey("rsa") : "nothing");
    for (const [policy, message] of [
      [[], /not an object/],
      [{ default: "maybe" }, /default: a rule is/],
      [{ default: { signedBy: "/good", also: 1 } }, /default: a rule is/],
      [{ default: { signedBy: [] } }, /names no key/],
      [{ default: { signedBy: ["relative"] } }, /absolute paths/],
      [{ default: { signedBy: "/bad" } }, /default: \/bad: not a public key/],
      [{ "a b": "accept" }, /no registry or repository/],
      [{ "a/b": "accept", "a/b/": "reject" }, /there twice/],
    ] as const)
      assert.throws(() => parsePolicy(policy, read), message);
  });
});
