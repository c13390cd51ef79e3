import { readFile, realpath } from "node:fs/promises";

export interface SourceMount {
  /** Where the mount is that a path lies on. */
  readonly point: string;
  readonly shared: boolean;
  readonly slave: boolean;
}

const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const isWithin = (path: string, point: string): boolean => point === "/" || path === point || path.startsWith(`${point}/`);

/** The mount of this process's namespace that a path lies on: proc_pid_mountinfo(5). @throws ENOENT of a path that is not there */
export async function mountOfPath(path: string): Promise<SourceMount> {
  const [real, list] = await Promise.all([realpath(path), readFile("/proc/self/mountinfo", "utf8")]);
  let found: SourceMount = { point: "/", shared: false, slave: false };
  for (const line of list.split("\n")) {
    const [, , , , at = "", , ...rest] = line.split(" ");
    const point = unescaped(at);
    // Of several at one place the last one is on top.
    if (at === "" || !isWithin(real, point) || point.length < found.point.length) continue;
    const optional = rest.slice(0, rest.indexOf("-"));
    found = {
      point,
      shared: optional.some((field) => field.startsWith("shared:")),
      slave: optional.some((field) => field.startsWith("master:")),
    };
  }
  return found;
}
