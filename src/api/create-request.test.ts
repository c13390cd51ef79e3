import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRequest } from "./create-request.ts";

const newest = 51;
const create = (body: object, minor = newest): Record<string, unknown> =>
  createRequest(body as Record<string, unknown>, minor).request as unknown as Record<string, unknown>;
const host = (config: object, minor = newest): unknown => create({ HostConfig: config }, minor)["HostConfig"];

describe("create requests", () => {
  test("are taken as Go's decoder takes them", () => {
    const { HostConfig: _, ...config } = create({
      image: "busybox",
      CMD: "true",
      Entrypoint: ["a", null],
      Labels: { a: null },
      Env: null,
      Nonsense: 1,
      ExposedPorts: { "80/tcp": {} },
    });
    assert.deepEqual(config, { Image: "busybox", Cmd: ["true"], Entrypoint: ["a", ""], Labels: { a: "" }, ExposedPorts: { "80/tcp": {} } });
    assert.deepEqual(host({ PortBindings: { "80/tcp": null }, MaskedPaths: [], ReadonlyPaths: null }), {
      PortBindings: { "80/tcp": [] },
      MaskedPaths: [],
    });
    assert.deepEqual(create({ NetworkingConfig: { EndpointsConfig: { net: null } } })["NetworkingConfig"], {
      EndpointsConfig: { net: {} },
    });
  });

  test("with a wrong type are refused, and say where", () => {
    for (const [body, complaint] of [
      [{ Image: 1 }, "number into Go struct field CreateRequest.Image of type string"],
      [{ Env: "A=b" }, "string into Go struct field CreateRequest.Env of type []string"],
      [{ Tty: "true" }, "string into Go struct field CreateRequest.Tty of type bool"],
      [{ HostConfig: { Memory: "64m" } }, "string into Go struct field CreateRequest.HostConfig.Memory of type int64"],
      [{ HostConfig: { Memory: 1.5 } }, "number 1.5 into Go struct field CreateRequest.HostConfig.Memory of type int64"],
      [{ HostConfig: [] }, "array into Go struct field CreateRequest.HostConfig of type struct"],
      [{ Cmd: [1] }, "number into Go struct field CreateRequest.Cmd of type string"],
      [{ Labels: ["a"] }, "array into Go struct field CreateRequest.Labels of type map[string]string"],
      [{ HostConfig: { Mounts: [{ ReadOnly: 1 }] } }, "number into Go struct field CreateRequest.HostConfig.Mounts.ReadOnly of type bool"],
    ] as const) {
      assert.throws(() => create(body), { code: "InvalidParameter", message: `invalid JSON: json: cannot unmarshal ${complaint}` });
    }
  });

  test("cannot reach the prototype through the keys of a map", () => {
    const labels = create(JSON.parse('{"Labels":{"__proto__":"x","a":"b"}}') as object)["Labels"] as object;
    assert.equal(Object.getPrototypeOf(labels), Object.prototype);
    assert.deepEqual(Object.keys(labels), ["__proto__", "a"]);
  });

  test("of older clients mean what they meant", () => {
    assert.deepEqual(host({}, 39), { IpcMode: "shareable", CgroupnsMode: "host" });
    assert.deepEqual(host({}, 40), { CgroupnsMode: "host" });
    assert.deepEqual(host({}, 41), {});
    assert.deepEqual(host({ PidsLimit: 5, Annotations: { a: "b" }, ConsoleSize: [1, 2] }, 39), {
      IpcMode: "shareable",
      CgroupnsMode: "host",
    });
    assert.deepEqual(host({ PidsLimit: 0 }), {});
    const mount = (one: object, minor: number): unknown => (host({ Mounts: [one] }, minor) as { Mounts: unknown[] }).Mounts[0];
    const bind = { Type: "bind", ReadOnly: true, BindOptions: { CreateMountpoint: true, ReadOnlyForceRecursive: true } };
    assert.deepEqual(mount(bind, 44), bind);
    assert.deepEqual(mount(bind, 43), { ...bind, BindOptions: { CreateMountpoint: true, ReadOnlyNonRecursive: true } });
    assert.deepEqual(mount({ ...bind, ReadOnly: false }, 41), { ...bind, ReadOnly: false, BindOptions: {} });
    assert.throws(
      () => mount({ Type: "volume", VolumeOptions: { Subpath: "a" } }, 44),
      /^EngineError: VolumeOptions.Subpath needs API v1.45/,
    );
    assert.throws(() => mount({ Type: "image", Source: "a" }, 47), /^EngineError: Mount type "Image" needs API v1.48/);
    const tmpfs = { Type: "tmpfs", TmpfsOptions: { SizeBytes: 1, Options: [["exec"]] } };
    assert.deepEqual([mount(tmpfs, 46), mount(tmpfs, 45)], [tmpfs, { Type: "tmpfs", TmpfsOptions: { SizeBytes: 1 } }]);
    assert.deepEqual(host({ PidsLimit: -1 }), {});
    assert.deepEqual(host({ PidsLimit: 5, Annotations: { a: "b" } }), { PidsLimit: 5, Annotations: { a: "b" } });
  });
});
