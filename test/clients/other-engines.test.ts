/** podman and Docker at Berth's registry: what Berth has pushed they pull, what they push Berth pulls. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { certificates } from "../../src/distribution/rough-registry.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { busyboxRootfs, Daemon } from "../daemon.ts";
import { type OtherEngine, ok, otherEngines } from "../other-engines.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth

describe("other engines", { timeout: 240_000 }, () => {
  let daemon: Daemon;
  let folder: string;
  before(async () => {
    daemon = await Daemon.start();
    folder = mkdtempSync("/var/tmp/berth-test-engines-");
    const pems = await certificates();
    mkdirSync(join(folder, "trusted"));
    writeFileSync(join(folder, "trusted/ca.crt"), pems.ca);
    mkdirSync(join(folder, "others"));
    writeFileSync(join(folder, "others/ca.crt"), (await certificates()).ca);
    writeFileSync(join(folder, "cert.pem"), pems.cert);
    writeFileSync(join(folder, "key.pem"), pems.key);
    writeFileSync(join(folder, "users"), `sailor:${password}\n`);
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await daemon.close();
  });

  const idOf = (name: string): Promise<string> => daemon.ok("image", "inspect", "-f", "{{.Id}}", name);
  const digestIn = async (host: string, path: string): Promise<string | null> => {
    const accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
    const url = `http://${host}/v2/${path.replace(":", "/manifests/")}`;
    return (await fetch(url, { method: "HEAD", headers: { accept } })).headers.get("docker-content-digest");
  };

  for (const { title, missing, knowsZstd, start } of otherEngines)
    describe(title, { skip: missing }, () => {
      let engine: OtherEngine;
      before(async () => {
        engine = await start();
      });
      after(() => engine?.[Symbol.asyncDispose]());

      test("pulls what Berth pushed, by tag and digest; Berth pulls what it pushed", async () => {
        await using registry = await ScratchRegistry.open();
        const host = `127.0.0.1:${registry.port}`;
        assert.equal(
          (await daemon.docker(["import", "-c", "CMD echo hi", "-", `${host}/ours:1`], { input: await busyboxRootfs() })).status,
          0,
        );
        await daemon.ok("run", "--name", "more", "--network=none", `${host}/ours:1`, "sh", "-c", "echo more >/more");
        await daemon.ok("commit", "more", `${host}/ours:1`);
        await daemon.ok("rm", "more");
        const digest = /digest: (sha256:\w+)/.exec(await daemon.ok("push", `${host}/ours:1`))?.[1];
        const id = await idOf(`${host}/ours:1`);
        await ok(engine, ["pull", `${host}/ours:1`]);
        assert.equal(await engine.idOf(`${host}/ours:1`), id);
        await ok(engine, ["pull", `${host}/ours@${digest}`]);
        const shown = await ok(engine, ["image", "inspect", "-f", "{{json .RepoDigests}}", `${host}/ours:1`]);
        assert.ok(shown.includes(`${host}/ours@${digest}`), shown);

        await ok(engine, ["tag", `${host}/ours:1`, `${host}/theirs:1`]);
        await ok(engine, ["push", `${host}/theirs:1`]);
        const again = await ok(engine, ["push", `${host}/theirs:1`]);
        await ok(engine, ["tag", `${host}/ours:1`, `${host}/mounted:1`]);
        const mounted = await ok(engine, ["push", `${host}/mounted:1`]);
        if (title !== "podman") {
          assert.match(again, /Layer already exists/);
          assert.match(mounted, /Mounted from (ours|theirs)/);
        }
        await daemon.ok("rmi", "-f", id);
        await daemon.ok("pull", "-q", `${host}/theirs:1`);
        assert.equal(await idOf(`${host}/theirs:1`), id);
        assert.equal(await daemon.ok("run", "--rm", "--network=none", `${host}/theirs:1`, "cat", "/more"), "more");
        await daemon.ok("tag", `${host}/theirs:1`, `${host}/again:1`);
        await daemon.ok("push", "-q", `${host}/again:1`);
        assert.equal(await digestIn(host, "again:1"), await digestIn(host, "theirs:1"), "what was pulled goes out as it came");
        await daemon.ok("rmi", "-f", id);
        if (title === "podman") {
          await ok(engine, ["push", "--format=oci", "--compression-format=zstd", `${host}/ours:1`, `docker://${host}/zstd:1`]);
          await daemon.ok("pull", "-q", `${host}/zstd:1`);
          const layers = await daemon.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", `${host}/zstd:1`);
          assert.equal(layers, await ok(engine, ["image", "inspect", "-f", "{{json .RootFS.Layers}}", `${host}/ours:1`]));
          await daemon.ok("rmi", `${host}/zstd:1`);
        }
        await ok(engine, ["rmi", "-f", id.slice("sha256:".length)]);
      });

      test("logs in by TLS, pulls gzip, zstd and plain layers of a pushed index, and pushes", async () => {
        const access = { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } as const;
        const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
        await using plain = await ScratchRegistry.open();
        const shelf = new Shelf();
        if (!knowsZstd) shelf.layering = "gzip";
        const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
        const tars = ["a", "b", "c"].map((name) => tarOf({ [name]: name }));
        shelf.index([{ ...shelf.image(tars, platform), platform }], "1");
        await shelf.pushTo(`http://127.0.0.1:${plain.port}`);
        await plain.stop();
        await using registry = await ScratchRegistry.open({ root: plain.root, access, tls });
        const name = `127.0.0.1:${registry.port}/x/y:1`;
        const trusted = join(folder, "trusted");
        const refused = await engine.run(["pull", name], trusted);
        assert.notEqual(refused.status, 0);
        // Docker 20.10 goes on to HTTP, and tells of that.
        assert.match(refused.stderr, /no basic auth credentials|authentication required|unauthorized|EOF/);
        await ok(engine, ["login", "-u", "sailor", "-p", "berth", `127.0.0.1:${registry.port}`], trusted);
        await ok(engine, ["pull", name], trusted);
        const layers = await ok(engine, ["image", "inspect", "-f", "{{len .RootFS.Layers}}", name]);
        assert.equal(layers, "3");
        await ok(engine, ["tag", name, `127.0.0.1:${registry.port}/pushed:1`]);
        await ok(engine, ["push", `127.0.0.1:${registry.port}/pushed:1`], trusted);
        if (title !== "podman") return;
        // Docker takes whatever certificate a registry on the loopback has.
        assert.match((await engine.run(["pull", name], join(folder, "others"))).stderr, /x509: certificate signed by unknown authority/);
      });
    });
});
