import type { EngineClient } from "../client/engine-client.ts";
import type { Configuration } from "./configuration.ts";
import type { FlagSpec, FlagValues } from "./flags/flag.ts";

/** What a verb is given: how to reach the daemon, and where to write. */
export interface Context {
  /** As `-H` or the environment names the daemon; undefined: the context's, or the default socket. */
  readonly host: string | undefined;
  readonly debug: boolean;
  configuration(): Configuration;
  /** The context in use: `default` where flags or the environment name a host. */
  contextName(): string;
  /** The client of that host. Nothing is connected before the first call. */
  client(): EngineClient;
  /** The same, which starts a daemon on the default socket if none answers there and the caller may. */
  startedClient(): EngineClient;
  out(text: string): void;
  err(text: string): void;
}

/** What a shell offers in place of an argument. */
export type Completion = "containers" | "running" | "stopped" | "paused" | "images" | "volumes" | "networks" | "contexts";

export interface Command {
  /** Behind the command's path: `[OPTIONS] CONTAINER`. */
  readonly usage: string;
  readonly args: { readonly least: number; readonly most?: number };
  readonly flags: readonly FlagSpec[];
  /** Lines of help between the summary and the flags. */
  readonly details?: readonly string[];
  /** What the arguments name, each or one after the other; undefined: the shell completes files. */
  readonly completes?: Completion | readonly Completion[];
  /** Only the first argument is named so; files follow. */
  readonly completesFirst?: true;
  /** A colon and a path follow the name. */
  readonly completesPaths?: true;
  /** The words are not looked at: no flags, no help. */
  readonly raw?: true;
  /** False: the first argument ends the flags. */
  readonly interspersed?: false;
  /** Checks the arguments before the flags' meaning; its message is a usage error. */
  run(context: Context, flags: FlagValues, args: readonly string[]): Promise<number>;
}

export interface Entry {
  readonly name: string;
  /** Other names in the same group. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Heading under which `berth --help` lists it. */
  readonly common?: true;
  readonly hidden?: true;
  /** Every path of the same verb, as help lists them. */
  readonly paths?: readonly string[];
  readonly load?: () => Promise<{ readonly command: Command }>;
  readonly entries?: readonly Entry[];
  /** Behind a group's path in the message for a word that it does not know. */
  readonly usage?: string;
}

/** A failure with an exit status and a text that is printed as it is. Empty text: nothing is printed. */
export class ExitError extends Error {
  readonly status: number;

  constructor(status: number, message: string = "") {
    super(message);
    this.status = status;
  }
}

/** A failure of a command that runs something: printed with the program's name and a pointer to the help; status 125. */
export class RunError extends Error {
  readonly status: number;

  constructor(message: string, status: number = 125) {
    super(message);
    this.status = status;
  }
}
