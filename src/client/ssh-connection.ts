import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Duplex, type Readable, type Writable } from "node:stream";
import { unavailable } from "../base/errors.ts";
import type { Address } from "./address.ts";

const connectSeconds = 30;
const mostErrorBytes = 4096;

/** Whichever of the two is installed there; their streams are the same. */
function remoteCommand(path: string | undefined): string {
  const host = path === undefined ? "" : ` --host unix://${path.replaceAll("'", "")}`;
  return `sh -c 'if command -v berth >/dev/null 2>&1; then exec berth${host} system dial-stdio; fi; exec docker${host} system dial-stdio'`;
}

/** A process's standard streams as one connection. When it fails before it has said a word, its error output says why. */
class CommandStream extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;

  constructor(program: string, args: readonly string[]) {
    super({ allowHalfOpen: true });
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    let heard = false;
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      heard = true;
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-mostErrorBytes);
    });
    child.stdin.on("error", () => {});
    const command = `command [${[program, ...args].join(" ")}]`;
    child.on("error", (error) => this.destroy(unavailable(`error during connect: ${command} did not start: ${error.message}`)));
    child.on("close", (status) => {
      if (heard || status === 0) this.push(null);
      else
        this.destroy(
          unavailable(
            `error during connect: ${command} has exited with exit status ${status}, make sure the URL is valid, and Berth or Docker 18.09 or later is installed on the remote host: stderr=${errors.trim()}`,
          ),
        );
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // A process that reads no more has ended, or will: its end says what there is to say.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }
}

/** Reaches the daemon of another machine through `ssh`, which asks the user what it must and knows their keys. */
export function connectSsh(address: Extract<Address, { kind: "ssh" }>): Duplex {
  const options = [`ConnectTimeout=${connectSeconds}`].flatMap((option) => ["-o", option]);
  const user = address.user === undefined ? [] : ["-l", address.user];
  const port = address.port === undefined ? [] : ["-p", address.port];
  return new CommandStream("ssh", [...options, "-T", ...user, ...port, "--", address.host, remoteCommand(address.path)]);
}
