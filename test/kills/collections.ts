/** The registry's garbage collection, beside pushes and pulls: what it has said to have is there, and what nobody wants goes. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../../src/registry/scratch-registry.ts";
import { eventually } from "../daemon.ts";
import { assertEmpty, audit, runs } from "./audit.ts";
import { assertRegistryTidy, assertWhole, prepare } from "./pushes.ts";
import { note, type Scenario } from "./scenario.ts";
import { graceMs, type Stand } from "./stand.ts";

/** Repository → digest of its image, which the registry has said to have. */
const acknowledged = new Map<string, string>();

/** A push that is broken off in the middle of a blob, over and over. */
async function breakOff(port: number, repository: string, bytes: Buffer, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    const path = String((await ask(port, "POST", `/v2/${repository}/blobs/uploads/`)).headers.location);
    await ask(port, "PATCH", path, { body: bytes.subarray(0, 50_000) });
    const broken = request({ host: "127.0.0.1", port, method: "PATCH", path, headers: { "content-length": 200_000 }, agent: false });
    broken.on("error", () => undefined).write(bytes.subarray(50_000, 70_000));
    await sleep(10);
    broken.destroy();
  }
}

/** What a slow machine has not pushed within the grace time may be collected meanwhile: then once more. */
async function pushWithinGrace(stand: Stand, repository: string): Promise<void> {
  for (;;) {
    const started = performance.now();
    try {
      const text = (await stand.ok("POST", `/images/${stand.relay.host}/${repository}/push?tag=1`)).toString();
      acknowledged.set(repository, /"Digest":"(sha256:[0-9a-f]{64})"/.exec(text)?.[1] ?? "");
      return;
    } catch (error) {
      if (performance.now() - started < graceMs || !/blob unknown/i.test(String(error))) throw error;
    }
  }
}

async function deleteImage(stand: Stand, repository: string): Promise<void> {
  const digest = acknowledged.get(repository);
  acknowledged.delete(repository);
  const { status } = await ask(stand.registry.port, "DELETE", `/v2/${repository}/manifests/${digest}`);
  assert.equal(status, 202);
}

export const collections: Scenario = {
  name: "registry GC",
  victims: ["registry", "registry", "everything"],
  async round(stand, chance, number) {
    const image = stand.known.get(chance.one(["a", "b", "c"]));
    const repositories = [`gc${number + 1}/one`, `gc${number + 1}/two`];
    const [first = "", second = ""] = repositories;
    stand.relay.pauseMs = 0;
    await prepare(stand, image, chance.happens(0.4), first);
    await stand.ok("POST", `/images/${stand.name("1", first)}/tag?repo=${encodeURIComponent(`${stand.relay.host}/${second}`)}&tag=1`);
    while (acknowledged.size > 6) await deleteImage(stand, chance.one([...acknowledged.keys()]));
    stand.relay.pauseMs = chance.one([0, 2, 4]);
    const push = (repository: string): Promise<void> => pushWithinGrace(stand, repository);
    return {
      async begin() {
        const ended = new AbortController();
        const read = async (): Promise<void> => {
          for (const [repository, digest] of acknowledged)
            if (!ended.signal.aborted) await assertWhole(stand.registry.port, repository, digest);
        };
        const beside = [
          breakOff(stand.registry.port, "broken/off", chance.bytes(200_000), ended.signal),
          read(),
          (async () => {
            for (; !ended.signal.aborted; await sleep(20)) stand.registry.collect();
          })(),
        ].map((work) => work.catch((error: unknown) => error));
        try {
          await Promise.all(repositories.map(push));
        } finally {
          ended.abort();
          await Promise.all(beside);
        }
      },
      async after() {
        for (const [repository, digest] of acknowledged)
          assert.equal((await assertWhole(stand.registry.port, repository, digest)).digest, digest);
        note(`${repositories.filter((name) => acknowledged.has(name)).length} of 2 pushes had been said to be done`);
        await audit(stand);
        stand.relay.pauseMs = 0;
        for (const repository of repositories) await push(repository);
        await stand.removeAll();
        assertEmpty(stand);
        await stand.pull("1", second);
        await runs(stand, image, stand.name("1", second));
        await stand.removeAll();
        assertEmpty(stand);
        if (number % 10 === 9) await assertRegistryTidy(stand);
      },
    };
  },
  /** With the last image all room is given back. */
  async end(stand) {
    await assertRegistryTidy(stand);
    const { port } = stand.registry;
    const { repositories } = (await ask(port, "GET", "/v2/_catalog?n=1000")).json as unknown as { repositories: string[] };
    for (const repository of repositories) {
      const { tags } = (await ask(port, "GET", `/v2/${repository}/tags/list`)).json as unknown as { tags: string[] };
      for (const tag of tags) {
        const { headers, json } = await ask(port, "GET", `/v2/${repository}/manifests/${tag}`);
        const { manifests = [] } = json as unknown as { manifests?: readonly { digest: string }[] };
        // Two tags may stand for one manifest.
        for (const digest of [headers["docker-content-digest"], ...manifests.map((entry) => entry.digest)])
          await ask(port, "DELETE", `/v2/${repository}/manifests/${digest}`);
      }
    }
    acknowledged.clear();
    const filesOf = (folder: string): string[] =>
      readdirSync(join(stand.registry.root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name);
    await eventually(
      "an empty registry",
      async () => {
        stand.registry.collect();
        await sleep(100);
        return filesOf("blobs").length + filesOf("uploads").length === 0 || undefined;
      },
      graceMs + 20_000,
    );
  },
};
