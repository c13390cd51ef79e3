import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerSummary, ImageInspect, ImageSummary, SystemInfo } from "../spec/spec.ts";
import { shapeContainerSummary, shapeImage, shapeImageSummary, shapeInfo, shapeUsage } from "./shape.ts";

type Plain = Record<string, unknown>;

test("an image's inspection has, for older clients, what it once had", () => {
  const image = { Id: "sha256:1", Size: 5, Config: { Cmd: ["sh"], User: "" } } as unknown as ImageInspect;
  const shaped = (minor: number): Plain => shapeImage(image, minor) as Plain;
  assert.equal(shaped(51), image);
  assert.equal((shaped(49)["Config"] as Plain)["Hostname"], "");
  assert.deepEqual((shaped(49)["Config"] as Plain)["Cmd"], ["sh"]);
  assert.equal(shaped(45)["ContainerConfig"], undefined);
  assert.equal((shaped(44)["ContainerConfig"] as Plain)["Cmd"], null);
  assert.equal(shaped(44)["VirtualSize"], undefined);
  assert.deepEqual([shaped(43)["VirtualSize"], shaped(43)["Created"]], [5, "0001-01-01T00:00:00Z"]);
});

test("an image without a name is called <none> before 1.43", () => {
  const image = { Id: "sha256:1", Size: 5, RepoTags: [], RepoDigests: [] } as unknown as ImageSummary;
  assert.equal(shapeImageSummary(image, 44), image);
  assert.deepEqual((shapeImageSummary(image, 43) as Plain)["RepoTags"], []);
  assert.deepEqual((shapeImageSummary(image, 42) as Plain)["RepoTags"], ["<none>:<none>"]);
  const named = { ...image, RepoTags: ["a:b"] };
  assert.deepEqual((shapeImageSummary(named, 42) as Plain)["RepoDigests"], []);
});

test("annotations are listed since 1.46", () => {
  const container = { Id: "a", HostConfig: { NetworkMode: "none", Annotations: { a: "b" } } } as unknown as ContainerSummary;
  assert.equal(shapeContainerSummary(container, 46), container);
  assert.deepEqual(shapeContainerSummary(container, 45).HostConfig, { NetworkMode: "none" });
});

test("info loses what came later and has what went", () => {
  const info = {
    FirewallBackend: { Driver: "nftables" },
    RuncCommit: { ID: "1" },
    RegistryConfig: { Mirrors: [] },
    SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns"],
  } as unknown as SystemInfo;
  const shaped = (minor: number): Plain => shapeInfo(info, minor) as Plain;
  assert.equal(shaped(50), info);
  assert.deepEqual([shaped(49)["BridgeNfIptables"], shaped(49)["FirewallBackend"]], [false, { Driver: "nftables" }]);
  assert.deepEqual(shaped(49)["RuncCommit"], { ID: "1" });
  assert.deepEqual(shaped(48)["RuncCommit"], { ID: "1", Expected: "1" });
  assert.equal("FirewallBackend" in shaped(48), false);
  assert.deepEqual((shaped(48)["RegistryConfig"] as Plain)["AllowNondistributableArtifactsCIDRs"], []);
  assert.deepEqual(shaped(24)["SecurityOptions"], ["seccomp", "cgroupns"]);
});

test("disk usage told the build cache's size before 1.42", () => {
  const usage = { LayersSize: 1, Images: [{ Size: 5, RepoTags: ["a"], RepoDigests: [] }], BuildCache: [] } as never;
  assert.equal(shapeUsage(usage, 44), usage);
  assert.equal((shapeUsage(usage, 43) as { Images: Plain[] }).Images[0]?.["VirtualSize"], 5);
  assert.equal((shapeUsage(usage, 42) as Plain)["BuilderSize"], undefined);
  assert.equal((shapeUsage(usage, 41) as Plain)["BuilderSize"], 0);
});
