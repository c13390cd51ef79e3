/** The entry of `berth registry serve`, `gc` and `passwd`. */
import { log, messageOf, setLogLevel } from "../base/base.ts";
import { makeBcrypt } from "./bcrypt.ts";
import { readCommandLine, UsageError, usage } from "./command-line.ts";
import { openRegistry, type RegistryOptions } from "./open.ts";

async function serve(options: RegistryOptions): Promise<void> {
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  // Until there is something to reload, the signal must not end it.
  process.on("SIGHUP", () => undefined);
  await using registry = await openRegistry(options);
  process.on("SIGHUP", () => {
    log.info("reading certificates, users and keys again");
    registry.reload();
  });
  process.on("SIGUSR2", () => {
    registry.collectGarbage().catch((error: unknown) => log.error("collecting garbage failed", { error: messageOf(error) }));
  });
  const { host } = options.address;
  const shown = host.includes(":") ? `[${host}]` : host;
  log.info(`registry listening on ${options.tls === undefined ? "http" : "https"}://${shown}:${registry.port}`, { root: options.root });
  log.info("registry shutting down", { signal: await ended });
}

/** Nobody is served meanwhile: a server has its folder for itself, and collects on SIGUSR2. */
async function collect(options: RegistryOptions): Promise<void> {
  await using registry = await openRegistry({ ...options, gcIntervalMs: 0, address: { host: "127.0.0.1", port: 0 } });
  const { manifests, links, blobs, bytes, uploads } = await registry.collectGarbage();
  process.stdout.write(`Deleted ${manifests} manifests, ${links} links, ${uploads} uploads and ${blobs} blobs: ${bytes} bytes\n`);
}

async function passwordLine(user: string): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError("the password comes from the standard input: berth registry passwd USER < FILE");
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += String(chunk);
  const password = text.split(/\r?\n/, 1)[0] ?? "";
  if (password === "") throw new UsageError("the password is empty");
  if (Buffer.byteLength(password) > 72) throw new UsageError("bcrypt looks at the first 72 bytes alone; this password is longer");
  return `${user}:${await makeBcrypt(password)}\n`;
}

async function main(args: readonly string[]): Promise<number> {
  process.stderr.on("error", () => undefined);
  try {
    const command = readCommandLine(args);
    switch (command.run) {
      case "help":
        process.stdout.write(usage(command.verb));
        return 0;
      case "serve":
        setLogLevel(command.logLevel);
        await serve(command.options);
        return 0;
      case "gc":
        setLogLevel("warn");
        await collect(command.options);
        return 0;
      case "passwd":
        process.stdout.write(await passwordLine(command.user));
        return 0;
    }
  } catch (error) {
    process.stderr.write(`berth registry: ${messageOf(error)}\n`);
    if (error instanceof UsageError) process.stderr.write("\nRun 'berth registry serve --help' for more information\n");
    return error instanceof UsageError ? 125 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
// What is left is idle connections.
process.exit();
