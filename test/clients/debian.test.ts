/** A Debian root file system: real programs, a compiler, syscalls that need one. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { command, Daemon } from "../daemon.ts";

/** Made once a machine: it takes a minute. */
const rootfs = "/var/tmp/berth-test-debian.tar";

describe("a Debian image made by debootstrap", () => {
  let daemon: Daemon;
  before(async () => {
    if (!existsSync(rootfs)) {
      mkdirSync(`${rootfs}.d`, { recursive: true });
      const made = await command(
        "sh",
        [
          "-ec",
          `. /etc/os-release; debootstrap --variant=minbase --include=gcc,libc6-dev "$VERSION_CODENAME" ${rootfs}.d >&2; rm -rf ${rootfs}.d/var/cache/apt/archives/*.deb; tar -C ${rootfs}.d --xattrs -cf ${rootfs}.tmp .; rm -rf ${rootfs}.d; mv ${rootfs}.tmp ${rootfs}`,
        ],
        { timeoutMs: 500_000 },
      );
      assert.equal(made.status, 0, made.stderr.slice(-2000));
    }
    daemon = await Daemon.start();
    await daemon.ok("import", rootfs, "debian:test");
  });
  after(() => daemon.close());

  test("apt-get, perl", async () => {
    assert.match(await daemon.ok("run", "--rm", "debian:test", "apt-get", "--version"), /^apt \d/);
    assert.equal(await daemon.ok("run", "--rm", "debian:test", "perl", "-e", "print 6*7"), "42");
  });

  const program = String.raw`
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  errno = 0; long key = syscall(SYS_keyctl, 0, -3, 0, 0, 0);
  printf("keyctl %ld %s\n", key, strerror(errno));
  errno = 0; int alg = socket(38, SOCK_SEQPACKET, 0);
  printf("AF_ALG %d %s\n", alg, strerror(errno));
  errno = 0; long user = syscall(SYS_unshare, 0x10000000);
  printf("unshare %ld %s\n", user, strerror(errno));
  errno = 0; long bpf = syscall(SYS_bpf, 0, 0, 0);
  printf("bpf %ld %s\n", bpf, strerror(errno));
  return 0;
}
`;

  test("a C program is compiled inside; keyctl, AF_ALG, unshare and bpf are refused to it", async () => {
    const result = await daemon.docker(["run", "-i", "--rm", "debian:test", "sh", "-c", "gcc -x c -o /tmp/a - && /tmp/a"], {
      input: program,
    });
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /keyctl -1 Operation not permitted/);
    assert.match(result.stdout, /AF_ALG -1 (Operation not permitted|Address family not supported by protocol)/);
    assert.match(result.stdout, /unshare -1 Operation not permitted/);
    assert.match(result.stdout, /bpf -1 Operation not permitted/);
  });
});
