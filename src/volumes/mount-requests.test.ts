import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostConfig, Mount } from "../spec/spec.ts";
import { parseBind, parseVolumesFrom } from "./bind-text.ts";
import { inspectMounts } from "./inspect-mounts.ts";
import { assertSourcesExist, mountRequests } from "./mount-requests.ts";
import type { ContainerMount } from "./mounts.ts";
import { parseMount } from "./parse-mount.ts";
import { tmpfsOptions } from "./tmpfs-options.ts";

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}

describe("-v", () => {
  test("a path: source, target, mode", () => {
    assert.deepEqual(parseBind("/a//b/:/c/../d:ro,rslave,Z"), {
      type: "bind",
      source: "/a/b",
      target: "/d",
      writable: false,
      readonly: "recursive",
      recursive: true,
      propagation: "rslave",
      createSource: true,
      mode: "ro,rslave,Z",
    });
  });

  test("a volume: name, target, mode", () => {
    const named = { type: "volume", name: "data", driver: "", target: "/d", writable: true, copy: true, subpath: "", mode: "" };
    assert.deepEqual(parseBind("data:/d"), named);
    assert.deepEqual(parseBind("data:/d:ro,nocopy"), { ...named, writable: false, copy: false, mode: "ro,nocopy" });
    assert.deepEqual(parseBind("/d", { volumeDriver: "x" }), { ...named, name: "", driver: "x" });
  });

  test("what mounts the data root is a slave, and may not be private", () => {
    const dataRoot = "/var/lib/berth";
    const propagation = (text: string): string => {
      const mount = parseBind(text, { dataRoot });
      return mount.type === "bind" ? mount.propagation : "";
    };
    assert.equal(propagation("/:/x"), "rslave");
    assert.equal(propagation("/var/lib/berth/volumes:/x"), "rslave");
    assert.equal(propagation("/var/lib/berthing:/x"), "rprivate");
    assert.equal(propagation("/var:/x:rshared"), "rshared");
    assert.match(
      messageOf(() => parseBind("/var:/x:private", { dataRoot })),
      /must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "\/var\/lib\/berth", bind mount source: "\/var", propagation: "private"$/,
    );
  });

  const wrong: readonly (readonly [text: string, message: string])[] = [
    ["/a:ro", "invalid volume specification: '/a:ro'"],
    ["", "invalid volume specification: ''"],
    [":/b", "invalid volume specification: ':/b'"],
    ["/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"],
    ["/a:/b:nosuch", "invalid mode: nosuch"],
    ["/a:/b:ro,rw", "invalid mode: ro,rw"],
    [
      "/a:b",
      `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    ],
    [
      "a:b",
      `invalid volume specification: 'a:b': invalid mount config for type "volume": invalid mount path: 'b' mount path must be absolute`,
    ],
    ["/a:/", `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`],
    [
      "v:/b:rshared",
      `invalid volume specification: 'v:/b:rshared': invalid mount config for type "volume": field BindOptions must not be specified`,
    ],
  ];
  for (const [text, message] of wrong)
    test(`refused as Docker does: ${text}`, () =>
      assert.equal(
        messageOf(() => parseBind(text)),
        message,
      ));
});

describe("--mount", () => {
  const bind = (mount: Mount): ReturnType<typeof parseMount> => parseMount({ Type: "bind", Source: "/a", Target: "/b", ...mount });
  const volume = (mount: Mount): ReturnType<typeof parseMount> => parseMount({ Type: "volume", Source: "vol", Target: "/b", ...mount });

  test("bind options", () => {
    const mount = bind({ ReadOnly: true, BindOptions: { Propagation: "shared", NonRecursive: true, ReadOnlyNonRecursive: true } });
    assert.ok(mount.type === "bind");
    assert.deepEqual(
      [mount.writable, mount.recursive, mount.readonly, mount.propagation, mount.createSource],
      [false, false, "single", "shared", false],
    );
    const made = bind({ BindOptions: { CreateMountpoint: true } });
    assert.ok(made.type === "bind" && made.createSource);
  });

  test("volume options", () => {
    const mount = volume({
      ReadOnly: true,
      VolumeOptions: { NoCopy: true, Subpath: "a/./b/", Labels: { l: "1" }, DriverConfig: { Name: "local", Options: { type: "tmpfs" } } },
    });
    assert.deepEqual(mount, {
      type: "volume",
      name: "vol",
      driver: "local",
      options: { type: "tmpfs" },
      labels: { l: "1" },
      target: "/b",
      writable: false,
      copy: false,
      subpath: "a/b",
      mode: "",
    });
  });

  test("images", () => {
    const mount = parseMount({ Type: "image", Source: "busybox", Target: "/i", ImageOptions: { Subpath: "bin" } });
    assert.deepEqual(mount, { type: "image", reference: "busybox", target: "/i", subpath: "bin" });
  });

  test("what is wrong, in Docker's words", () => {
    const words = (mount: Mount): string => messageOf(() => parseMount({ Target: "/b", ...mount }));
    const config = (type: string, why: string): string => `invalid mount config for type "${type}": ${why}`;
    assert.equal(words({ Type: "bind", Source: "" }), config("bind", "field Source must not be empty"));
    assert.equal(words({ Type: "bind", Source: "/a", Target: "" }), config("bind", "field Target must not be empty"));
    assert.equal(words({ Type: "bind", Source: "a" }), config("bind", "invalid mount path: 'a' mount path must be absolute"));
    assert.equal(words({ Type: "tmpfs", Source: "/a" }), config("tmpfs", "field Source must not be specified"));
    assert.equal(words({ Source: "/a" }), config("", "mount type unknown"));
    assert.equal(words({ Type: "volume", BindOptions: {} }), config("volume", "field BindOptions must not be specified"));
    assert.equal(words({ Type: "volume", ReadOnly: true }), config("volume", "must not set ReadOnly mode when using anonymous volumes"));
    const subpath = (Subpath: string, Source = "v"): string => words({ Type: "volume", Source, VolumeOptions: { Subpath } });
    assert.equal(subpath("x", ""), config("volume", "subpath must not be set when using anonymous volumes"));
    for (const path of ["/x", "../x", "a/../../x", ".."])
      assert.equal(subpath(path), config("volume", "subpath must be a relative path within the volume"));
  });

  test("a source that is missing", async () => {
    await assert.rejects(assertSourcesExist([bind({ Source: "/nosuch/berth-test" })]), {
      message: 'invalid mount config for type "bind": bind source path does not exist: /nosuch/berth-test',
    });
    await assertSourcesExist([parseBind("/nosuch/berth-test:/b"), bind({ Source: "/nosuch", BindOptions: { CreateMountpoint: true } })]);
  });

  test("tmpfs options", () => {
    assert.deepEqual(tmpfsOptions([]), ["noexec", "nosuid", "nodev"]);
    assert.deepEqual(tmpfsOptions(["exec", "size=64m", "mode=1770"]), ["nosuid", "nodev", "exec", "size=64m", "mode=1770"]);
    assert.throws(() => tmpfsOptions(["lowerdir=/etc"]), { message: 'invalid tmpfs option ["lowerdir" "/etc"]' });
    assert.throws(() => tmpfsOptions(["bind"]), { message: 'invalid tmpfs option ["bind"]' });
  });
});

test("--volumes-from", () => {
  assert.deepEqual(parseVolumesFrom("web"), { container: "web", writable: true });
  assert.deepEqual(parseVolumesFrom("web:ro"), { container: "web", writable: false });
  assert.deepEqual(parseVolumesFrom("web:z"), { container: "web", writable: true });
  for (const mode of ["nocopy", "rshared", "x"])
    assert.equal(
      messageOf(() => parseVolumesFrom(`web:${mode}`)),
      `invalid mode: ${mode}`,
    );
});

describe("all mounts of a container", () => {
  const requests = (hostConfig: HostConfig): ReturnType<typeof mountRequests> => mountRequests(hostConfig, "/data-root");

  test("one target once", () => {
    assert.throws(() => requests({ Binds: ["/a:/x/"], Mounts: [{ Type: "tmpfs", Target: "/y/../x" }] }), {
      code: "InvalidParameter",
      message: "Duplicate mount point: /x",
    });
    assert.throws(() => requests({ Binds: ["/a:/x"], Tmpfs: { "/x": "" } }), /Duplicate mount point: \/x/);
  });

  test("null where Go sends it", () => {
    assert.deepEqual(requests(JSON.parse('{"Binds":null,"Mounts":null,"Tmpfs":null}') as HostConfig), []);
  });

  test("as inspect lists them", () => {
    const volume: ContainerMount = {
      type: "volume",
      name: "v",
      driver: "local",
      anonymous: false,
      target: "/v",
      writable: false,
      subpath: "",
      mode: "z",
    };
    const others = requests({ Binds: ["/a:/x:ro"], Mounts: [{ Type: "tmpfs", Target: "/t" }], Tmpfs: { "/u": "" } }) as ContainerMount[];
    assert.deepEqual(
      inspectMounts([...others, volume], (name) => `/volumes/${name}/_data`),
      [
        { Type: "bind", Source: "/a", Destination: "/x", Mode: "ro", RW: false, Propagation: "rprivate" },
        { Type: "tmpfs", Source: "", Destination: "/t", Mode: "", RW: true, Propagation: "" },
        {
          Type: "volume",
          Name: "v",
          Source: "/volumes/v/_data",
          Destination: "/v",
          Driver: "local",
          Mode: "z",
          RW: false,
          Propagation: "",
        },
      ],
    );
  });
});
