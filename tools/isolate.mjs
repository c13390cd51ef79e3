/**
 * Gives a test file that needs root namespaces of its own, so that two run at once and each finds nothing but what it left
 * itself: loaded ahead of each file by tools/test.sh. Node then starts anew inside; PID 1 there is a shell, which reaps.
 *
 * A file that takes the network around it for its own imports `isolated` and does nothing unless that is true: so it is
 * safe to run alone, too (`node --test FILE`), and skipped where there are no namespaces to be had.
 */
import { existsSync } from "node:fs";

const file = process.argv[1] ?? "";
/** They fetch something of Debian's when it is not there yet. */
const needsOutside = /\/(compose|debian)\.test\.ts$/.test(file);
const needsRoot = /\.root\.test\.ts$|\/test\/.*\.test\.ts$/.test(file);
const runsFiles = process.execArgv.includes("--test") && process.env.NODE_TEST_CONTEXT === undefined;

/** What is run from here on has namespaces of its own. */
export const isolated = process.env.BERTH_TEST_ISOLATED !== undefined;

if (!isolated && !runsFiles && needsRoot && process.getuid?.() === 0) {
  const unshare = ["/usr/bin/unshare", "/bin/unshare"].find((path) => existsSync(path));
  const inside = ["sh", "-c", 'ip link set lo up; "$@"', "sh", process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // cgroups are the machine's: each file has names of its own there. Five digits still fit into the name of a bridge.
  const slot = String(process.pid % 100_000);
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const env = { ...environment, BERTH_TEST_ISOLATED: "1", BERTH_TEST_SLOT: slot };
  const namespaces = ["-m", "-p", "--fork", "--kill-child", "--mount-proc", ...(needsOutside ? [] : ["-n"])];
  if (unshare !== undefined) process.execve(unshare, ["unshare", ...namespaces, ...inside], env);
}
