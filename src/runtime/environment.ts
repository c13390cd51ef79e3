/** The environment that a container's process starts with. */
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const nameOf = (entry: string): string => entry.slice(0, entry.includes("=") ? entry.indexOf("=") : undefined);

/** Later values replace earlier ones in their place; a name without `=` takes the variable away. */
export function mergeEnvironment(base: readonly string[], overrides: readonly string[]): string[] {
  const result = new Map(base.map((entry) => [nameOf(entry), entry]));
  for (const entry of overrides) {
    if (entry.includes("=")) result.set(nameOf(entry), entry);
    else result.delete(entry);
  }
  return [...result.values()];
}

/** PATH, HOSTNAME, TERM with a terminal, then what the image and the user say. */
export function containerEnvironment(options: { env: readonly string[]; hostname: string; tty: boolean }): string[] {
  const base = [defaultPath, `HOSTNAME=${options.hostname}`, ...(options.tty ? ["TERM=xterm"] : [])];
  return mergeEnvironment(base, options.env);
}

/** HOME is set last, by whoever executes, from the user's entry in /etc/passwd, unless it is there. */
export function withHome(env: readonly string[], home: string): string[] {
  return env.some((entry) => nameOf(entry) === "HOME") ? [...env] : [...env, `HOME=${home}`];
}
