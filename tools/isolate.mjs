/**
 * Gives a test file that needs root namespaces of its own, so that two run at once and each finds nothing but what it left
 * itself: loaded ahead of each file by tools/test.sh. Node then starts anew inside; PID 1 there is a shell, which reaps.
 */
import { existsSync } from "node:fs";

const file = process.argv[1] ?? "";
/** They fetch something of Debian's when it is not there yet. */
const needsOutside = /\/(compose|debian)\.test\.ts$/.test(file);
const needsRoot = /\.root\.test\.ts$|\/test\/.*\.test\.ts$/.test(file);

if (process.env.NODE_TEST_CONTEXT !== undefined && process.env.BERTH_TEST_ISOLATED === undefined && needsRoot && process.getuid?.() === 0) {
  const unshare = ["/usr/bin/unshare", "/bin/unshare"].find((path) => existsSync(path));
  const inside = ["sh", "-c", 'ip link set lo up; "$@"', "sh", process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // cgroups are the machine's: each file has names of its own there. Five digits still fit into the name of a bridge.
  const slot = String(process.pid % 100_000);
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const env = { ...environment, BERTH_TEST_ISOLATED: "1", BERTH_TEST_SLOT: slot };
  const namespaces = ["-m", "-p", "--fork", "--kill-child", "--mount-proc", ...(needsOutside ? [] : ["-n"])];
  if (unshare !== undefined) process.execve(unshare, ["unshare", ...namespaces, ...inside], env);
}
