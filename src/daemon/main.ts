/** The entry: `berthd [OPTIONS]`. */
import { log, messageOf, setLogFormat, setLogLevel, version } from "../base/base.ts";
import { openDaemon, type RunningDaemon } from "./open.ts";
import { usage } from "./parse-flags.ts";
import { explainRefusal, readCommand, reloadSettings, type Settings } from "./settings.ts";

/** Settles at the first signal; the second ends the process at once. */
function signalled(): Promise<string> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (seen) process.exit(1);
        seen = true;
        resolve(signal);
      });
    }
  });
}

/** For the log. Times are BigInts, which JSON has not. */
function shown(settings: Settings): string {
  const plain = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
  return JSON.stringify({ ...settings, tls: undefined }, plain);
}

/** SIGHUP: the configuration file is read again. One that is wrong changes nothing. */
function reloadOnHangUp(daemon: RunningDaemon, args: readonly string[], first: Settings): void {
  let settings = first;
  process.on("SIGHUP", () => {
    log.info(`Got signal to reload configuration, reloading from: ${settings.configFile}`);
    try {
      settings = reloadSettings(args, settings);
    } catch (error) {
      log.error("Error reloading configuration", { error: messageOf(error) });
      return;
    }
    setLogLevel(settings.logLevel);
    daemon.reload(settings);
    log.info(`Reloaded configuration: ${shown(settings)}`);
  });
}

async function runDaemon(settings: Settings, args: readonly string[]): Promise<void> {
  setLogFormat(settings.logFormat);
  setLogLevel(settings.logLevel);
  // Until it is up there is nothing to reload, and the signal must not end it.
  const ignore = (): void => undefined;
  process.on("SIGHUP", ignore);
  log.info("Starting up", { version: version.version });
  const signal = signalled();
  await using daemon = await openDaemon(settings);
  reloadOnHangUp(daemon, args, settings);
  process.off("SIGHUP", ignore);
  const why = await Promise.race([signal, daemon.endAsked.then(() => "the API")]);
  log.info("Shutting down; containers go on", { asked: why });
}

async function main(args: readonly string[]): Promise<number> {
  // A client or a pipe of the log that goes away must not take the daemon with it.
  process.on("SIGPIPE", () => undefined);
  process.stderr.on("error", () => undefined);
  try {
    const command = readCommand(args);
    switch (command.run) {
      case "help":
        process.stdout.write(usage());
        return 0;
      case "version":
        process.stdout.write(`Berth version ${version.version}, build ${version.commit}\n`);
        return 0;
      case "validate":
        process.stderr.write("configuration OK\n");
        return 0;
      case "daemon":
        if (process.getuid?.() !== 0) throw new Error("berthd needs to be started with root privileges");
        await runDaemon(command.settings, args);
        return 0;
    }
  } catch (error) {
    const { text, exitCode } = explainRefusal(error);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

process.on("uncaughtException", (error) => {
  log.fatal("the daemon ends by a bug", { error: messageOf(error), stack: error.stack });
  process.exit(2);
});

process.exitCode = await main(process.argv.slice(2));
// What is left is timers and idle sockets of clients: nothing that the daemon waits for.
process.exit();
