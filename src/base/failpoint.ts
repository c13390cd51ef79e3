import { readdirSync, readFileSync, unlinkSync } from "node:fs";

/**
 * For tests: `BERTH_FAILPOINT=<place>:<daemon|broker|monitor>:<file>` kills that process at that place, as an accident
 * would, once: when the file is there to be removed. native/failpoint.c has the same for the C program.
 */
export const failpointVariable = "BERTH_FAILPOINT";

const [wanted, who, file] = (process.env[failpointVariable] ?? "").split(":");

export function failpoint(place: string): void {
  if (place !== wanted || file === undefined) return;
  try {
    unlinkSync(file);
  } catch {
    return;
  }
  process.kill(who === "daemon" ? process.pid : childOf(process.pid, `berth-${who}`), "SIGKILL");
}

/** The youngest of that name below `pid`. */
function childOf(pid: number, name: string): number {
  const children = readdirSync("/proc")
    .map(Number)
    .filter((child) => child > 0)
    .map((child) => ({ child, ...statusOf(child) }));
  const below = (parent: number): typeof children =>
    children.filter((child) => child.parent === parent).flatMap((child) => [child, ...below(child.child)]);
  const found = below(pid)
    .filter((child) => child.name === name)
    .map(({ child }) => child);
  if (found.length === 0) throw new Error(`no ${name} below ${pid}`);
  return Math.max(...found);
}

function statusOf(pid: number): { parent: number; name: string } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return { name: /^Name:\t(.*)$/m.exec(text)?.[1] ?? "", parent: Number(/^PPid:\t(\d+)$/m.exec(text)?.[1]) };
  } catch {
    return { parent: 0, name: "" };
  }
}
