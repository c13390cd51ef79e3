import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { explainFailure, sessionFailure } from "./explain-failure.ts";

const { ENOENT, EACCES, EISDIR, ENOTDIR, EADDRINUSE, ENOEXEC, EINVAL } = constants.errno;
const start =
  "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";

describe("explained failures", () => {
  const cases: readonly (readonly [string, number, string, number, string, string])[] = [
    ["exec", ENOENT, "nosuch", 127, "InvalidParameter", `${start}exec: "nosuch": executable file not found in $PATH: unknown`],
    ["exec", ENOENT, "/no/such", 127, "InvalidParameter", `${start}exec: "/no/such": stat /no/such: no such file or directory: unknown`],
    ["exec", EACCES, "/etc/passwd", 126, "InvalidParameter", `${start}exec: "/etc/passwd": permission denied: unknown`],
    ["exec", EISDIR, "/etc", 126, "InvalidParameter", `${start}exec: "/etc": is a directory: unknown: permission denied`],
    ["exec", ENOEXEC, "/x", 125, "System", `${start}exec /x: exec format error: unknown`],
    [
      "cwd",
      ENOTDIR,
      "/etc/passwd",
      125,
      "System",
      `${start}error during container init: chdir to cwd ("/etc/passwd") set in config.json failed: not a directory: unknown`,
    ],
  ];
  for (const [stage, errno, message, exitCode, status, words] of cases) {
    test(words.slice(start.length), () =>
      assert.deepEqual(explainFailure({ stage, errno, message }), { message: words, exitCode, status }),
    );
  }

  test("a taken port", () => {
    const { message, exitCode } = explainFailure({ stage: "bind-port", errno: EADDRINUSE, message: "0.0.0.0:8080/tcp" });
    assert.match(
      message,
      /^failed to set up container networking: driver failed programming external connectivity on endpoint.*: failed to bind host port for 0\.0\.0\.0:8080\/tcp: address already in use$/,
    );
    assert.equal(exitCode, 125);
  });

  test("a mount of the wrong kind", () => {
    const { message } = explainFailure({ stage: "attach-tree", errno: ENOTDIR, message: "/host/file\n/data" });
    assert.match(
      message,
      /error mounting "\/host\/file" to rootfs at "\/data": mount \/host\/file:\/data, flags: 0x5000: not a directory: unknown: Are you trying to mount a directory onto a file \(or vice-versa\)\?/,
    );
  });

  test("a stage that has no words of its own still says what happened", () => {
    assert.match(explainFailure({ stage: "overlay", errno: EINVAL, message: "/x" }).message, /overlay \/x: invalid argument: unknown$/);
    assert.match(explainFailure({ stage: "clone", errno: 4095, message: "" }).message, /clone: errno 4095: unknown$/);
  });

  test("of an exec session", () => {
    assert.equal(
      explainFailure(sessionFailure({ stage: "exec", errno: ENOENT, message: "nosuch" })).message,
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
    );
  });
});
