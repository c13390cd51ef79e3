/** The command line as it is shipped, for tests: bundled, because a start from source takes ten times as long. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { build } from "esbuild";

export interface ClientResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bundles the command line into `file`, which Node runs. */
export async function bundleClient(file: string): Promise<void> {
  await build({ entryPoints: [join(import.meta.dirname, "main.ts")], outfile: file, bundle: true, platform: "node", format: "cjs" });
}

/** Runs docker, or the bundle `main`, to its end; it has 20 seconds. */
export function runClient(
  client: "docker" | "berth",
  main: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string },
): Promise<ClientResult> {
  const { env, cwd, input = "" } = options;
  const [file, own] = client === "docker" ? ["docker", []] : [process.execPath, ["--", main]];
  return new Promise((done, fail) => {
    const child = spawn(file, [...own, ...args], { cwd, env, timeout: 20_000, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.stdin.on("error", () => {});
    child.on("error", fail);
    child.on("close", (status) => done({ status, stdout, stderr }));
    child.stdin.end(input);
  });
}
