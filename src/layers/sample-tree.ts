/** Makes a directory with all that a layer can have, and tars of it by GNU tar, for tests run by root. */
import { execFileSync } from "node:child_process";

const script = String.raw`
import os, sys
root = os.fsencode(sys.argv[1])
def at(name): return os.path.join(root, name if isinstance(name, bytes) else name.encode())
def write(name, data):
    with open(at(name), "wb") as file: file.write(data)
os.makedirs(at("etc/deep"), exist_ok=True)
write("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
write("empty", b"")
write("block", bytes(range(256)) * 2)
write("long", os.urandom(1000001))
write("setuid", b"#!"); os.chown(at("setuid"), 1000, 1000); os.chmod(at("setuid"), 0o6755)
os.mkdir(at("sticky")); os.chmod(at("sticky"), 0o1777)
write("owned", b"o"); os.chown(at("owned"), 100000, 3000000000)
for size in (100, 101, 155, 156, 255): write(b"n" * size, b"name of %d" % size)
os.makedirs(at(b"/".join([b"d" * 200] * 10))); write(b"/".join([b"d" * 200] * 10) + b"/leaf", b"deep")
os.makedirs(at(b"/".join([b"x"] * 300))); write(b"/".join([b"x"] * 300) + b"/leaf", b"deeper")
write(b"not-utf8-\xff\xfe\xe9", b"bytes")
write("umlaut-\u00fc-\u6f22", b"text")
write("line\nend", b"nl")
os.symlink(b"etc/passwd", at("link")); os.symlink(b"/" + b"t" * 3000, at("long-link")); os.symlink(b"t" * 150, at("link-150")); os.symlink(b"\xff\xfe", at("raw-link"))
os.lchown(at("link"), 1, 2)
write("hard-a", b"hard"); os.link(at("hard-a"), at("hard-b")); os.mkdir(at("h")); os.link(at("hard-a"), at(b"h/" + b"l" * 200))
os.mkfifo(at("fifo")); os.chmod(at("fifo"), 0o620)
os.mknod(at("char"), 0o20666, os.makedev(1, 3)); os.mknod(at("blk"), 0o60660, os.makedev(259, 70000)); os.mknod(at("big"), 0o20600, os.makedev(4095, 1048575))
os.link(at("char"), at("char-link"))
os.mkdir(at("many"))
for i in range(3000): write("many/file-%d" % i, b"%d" % i)
for i in range(120): write(b"etc/deep/" + bytes([33 + i % 94 if 33 + i % 94 != 47 else 126]) + b"%d" % i, b"")
write("caps", b"c"); os.setxattr(at("caps"), "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
write("attrs", b"a"); os.setxattr(at("attrs"), "user.small", b"v"); os.setxattr(at("attrs"), "user.none", b""); os.setxattr(at("attrs"), "user.binary", bytes(range(256)) * 4); os.setxattr(at("attrs"), "trusted.thing", b"t")
os.setxattr(at("sticky"), "user.on-directory", b"d" * 500)
def sparse(name, size, *data):
    with open(at(name), "wb") as file:
        file.truncate(size)
        for where, what in data: file.seek(where); file.write(what)
sparse("sparse", 10 << 20, (1 << 20, b"one" * 5000), (5 << 20, b"five"))
sparse("hole", 3 << 20)
sparse("odd-sparse", (4 << 20) + 12345, (0, b"begin"), ((4 << 20) + 12000, b"end"))
sparse("huge", 9 << 30, (0, b"first"), (4 << 30, b"middle" * 1000), ((9 << 30) - 4, b"last"))
for name, time in [("etc/passwd", 1), ("block", -1), ("long", -1500000000123456789), ("empty", 1700000000999999999), ("sticky", 1234567890123456789), ("hard-a", 4294967296000000001), ("caps", 946684800000000000)]:
    os.utime(at(name), ns=(time, time))
os.utime(at("link"), ns=(5, 987654321000000123), follow_symlinks=False)
os.utime(at("etc"), ns=(7, 1111111111000000000)); os.utime(root, ns=(9, 1222222222333333333)); os.chmod(root, 0o755)
`;

export function makeSampleTree(directory: string): void {
  execFileSync("python3", ["-c", script, directory]);
}

/** What GNU tar makes of the sample tree in one of its formats. */
export function packTree(directory: string, tar: string, format: "gnu" | "pax" | "posix-sparse-0.0" | "posix-sparse-0.1"): void {
  const version = /posix-sparse-(.*)/.exec(format)?.[1];
  const how = version === undefined ? [`--format=${format}`] : ["--format=pax", `--sparse-version=${version}`];
  const attributes = format === "gnu" ? [] : ["--xattrs", "--xattrs-include=*"];
  execFileSync("tar", [...how, ...attributes, "--sparse", "--numeric-owner", "-cf", tar, "-C", directory, "."], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** GNU tar's own extraction. */
export function extract(tar: string, directory: string): void {
  execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-owner", "-p", "-xf", tar, "-C", directory]);
}
