import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostConfig, Mount } from "../spec/spec.ts";
import { assertSourcesExist, inspectMounts, parseBind, parseMount, tmpfsOptions, userMounts } from "./user-mounts.ts";

describe("-v", () => {
  test("source, target, mode", () => {
    assert.deepEqual(parseBind("/a//b/:/c/../d:ro,rslave,Z"), {
      type: "bind",
      source: "/a/b",
      target: "/d",
      writable: false,
      readonlyRecursive: true,
      recursive: true,
      propagation: "rslave",
      createSource: true,
      mode: "ro,rslave,Z",
    });
    assert.equal(parseBind("/a:/b").propagation, "rprivate");
  });

  test("what is wrong, in Docker's words", () => {
    const message = (text: string): string => {
      try {
        parseBind(text);
      } catch (error) {
        return error instanceof Error ? error.message : "";
      }
      return "";
    };
    assert.equal(message("/a"), "invalid volume specification: '/a'");
    assert.equal(message("/a:/b:ro:x"), "invalid volume specification: '/a:/b:ro:x'");
    assert.equal(message("/a:/b:nosuch"), "invalid volume specification: '/a:/b:nosuch': invalid mode: nosuch");
    assert.equal(message("/a:/b:ro,rw"), "invalid volume specification: '/a:/b:ro,rw': invalid mode: ro,rw");
    assert.match(message("/a:b"), /mount path must be absolute/);
    assert.match(message("/a:/"), /destination can't be '\/'/);
    assert.match(message("../a:/b"), /includes invalid characters for a local volume name/);
    assert.match(message("name:/b"), /not supported/);
  });
});

describe("--mount", () => {
  const bind = (mount: Mount): ReturnType<typeof parseMount> => parseMount({ Type: "bind", Source: "/a", Target: "/b", ...mount });

  test("bind options", () => {
    const mount = bind({ ReadOnly: true, BindOptions: { Propagation: "shared", NonRecursive: true, ReadOnlyNonRecursive: true } });
    assert.ok(mount.type === "bind");
    assert.deepEqual(
      [mount.writable, mount.recursive, mount.readonlyRecursive, mount.propagation, mount.createSource],
      [false, false, false, "shared", false],
    );
  });

  test("what is wrong, in Docker's words", () => {
    assert.throws(() => bind({ Source: "" }), { message: 'invalid mount config for type "bind": field Source must not be empty' });
    assert.throws(() => bind({ Target: "" }), { message: 'invalid mount config for type "bind": field Target must not be empty' });
    assert.throws(() => bind({ Source: "a" }), /invalid mount path: 'a' mount path must be absolute/);
    assert.throws(() => parseMount({ Type: "tmpfs", Source: "/a", Target: "/b" }), /field Source must not be specified/);
    assert.throws(() => parseMount({ Target: "/b" }), { message: "mount type unknown" });
    assert.throws(() => assertSourcesExist([bind({ Source: "/nosuch/berth-test" })]), {
      message: 'invalid mount config for type "bind": bind source path does not exist: /nosuch/berth-test',
    });
    assertSourcesExist([parseBind("/nosuch/berth-test:/b")]);
  });

  test("tmpfs options", () => {
    assert.deepEqual(tmpfsOptions([]), ["noexec", "nosuid", "nodev"]);
    assert.deepEqual(tmpfsOptions(["exec", "size=64m", "mode=1770"]), ["nosuid", "nodev", "exec", "size=64m", "mode=1770"]);
    assert.throws(() => tmpfsOptions(["lowerdir=/etc"]), { message: 'Invalid tmpfs option "lowerdir=/etc"' });
    assert.throws(() => tmpfsOptions(["bind"]), /Invalid tmpfs option/);
  });
});

describe("all mounts of a container", () => {
  test("one target once", () => {
    const hostConfig: HostConfig = { Binds: ["/a:/x/"], Mounts: [{ Type: "tmpfs", Target: "/y/../x" }] };
    assert.throws(() => userMounts(hostConfig), { code: "InvalidParameter", message: "Duplicate mount point: /x" });
    assert.throws(() => userMounts({ Binds: ["/a:/x"], Tmpfs: { "/x": "" } }), /Duplicate mount point: \/x/);
  });

  test("null where Go sends it", () => {
    const hostConfig = JSON.parse('{"Binds":null,"Mounts":null,"Tmpfs":null}') as HostConfig;
    assert.deepEqual(userMounts(hostConfig), []);
  });

  test("as inspect lists them", () => {
    const mounts = userMounts({ Binds: ["/a:/x:ro"], Mounts: [{ Type: "tmpfs", Target: "/t" }], Tmpfs: { "/u": "" } });
    assert.deepEqual(inspectMounts(mounts), [
      { Type: "bind", Source: "/a", Destination: "/x", Mode: "ro", RW: false, Propagation: "rprivate" },
      { Type: "tmpfs", Source: "", Destination: "/t", Mode: "", RW: true, Propagation: "" },
    ]);
  });
});
