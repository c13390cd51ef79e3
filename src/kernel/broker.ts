/** The broker process: started with a socket on descriptor 3, asked by frames, ended by closing the socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { systemError } from "../base/base.ts";
import { failpointVariable } from "../base/failpoint.ts";
import { encodeFrame, type Frame, FrameDecoder, failureError, message, readFailure } from "./frames.ts";

interface Waiting {
  resolve(payload: Buffer): void;
  reject(error: Error): void;
}

export interface BrokerOptions {
  /** Path of build/berth-native. */
  readonly native: string;
  readonly execRoot: string;
  /** Sockets of monitors whose layer mounts the broker is to share. */
  readonly adoptFrom: readonly string[];
  /** After {@link message.watchFirewall}. */
  readonly firewallChanged: () => void;
}

/** What of our environment the program is given: what tests set, nothing else. */
const passedOn = ["ASAN_OPTIONS", "UBSAN_OPTIONS", "BERTH_CLASSIC_MOUNT", failpointVariable];

export class Broker implements AsyncDisposable {
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder = new FrameDecoder();
  readonly #firewallChanged: () => void;
  readonly #ready = Promise.withResolvers<void>();
  #lastId = 0;
  #error: Error | undefined;

  private constructor(options: BrokerOptions) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => passedOn.includes(name)));
    this.#process = spawn(options.native, ["broker", options.execRoot, ...options.adoptFrom], {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
      detached: true,
      env,
    });
    this.#socket = this.#process.stdio[3] as Socket;
    this.#firewallChanged = options.firewallChanged;
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.#process.once("error", (error) => this.#fail(systemError(`cannot start ${options.native}: ${error.message}`, error)));
    this.#process.once("exit", (code, signal) => {
      this.#fail(systemError(`the broker has ended (${signal ?? `status ${code}`})`));
      ended.resolve();
    });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.#fail(systemError(`the broker's socket: ${error.message}`, error)));
    this.#socket.on("close", () => this.#fail(systemError("the broker has closed its socket")));
  }

  /** Resolves when the broker serves. @throws System when it cannot start; its reason is on our standard error */
  static async start(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    await broker.#ready.promise;
    return broker;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The payload of the answer. @throws System with a LaunchFailure as cause */
  request(type: number, payload: Uint8Array): Promise<Buffer> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#lastId = (this.#lastId % 0xffff_fffe) + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting.set(this.#lastId, { resolve, reject });
    this.#socket.write(encodeFrame(this.#lastId, type, payload));
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(systemError("the kernel port is closed"));
    this.#socket.end();
    if (this.#process.exitCode === null && this.#process.signalCode === null && this.#process.pid !== undefined)
      await once(this.#process, "exit");
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#take(frame);
    } catch (error) {
      this.#fail(systemError("the broker talks nonsense", error));
      this.#socket.destroy();
    }
  }

  #take(frame: Frame): void {
    if (frame.type === message.ready) {
      this.#ready.resolve();
      return;
    }
    if (frame.type === message.firewallChanged) {
      this.#firewallChanged();
      return;
    }
    const waiting = this.#waiting.get(frame.id);
    this.#waiting.delete(frame.id);
    if (frame.type === message.failure) waiting?.reject(failureError(readFailure(frame.payload)));
    else waiting?.resolve(frame.payload);
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#ready.reject(this.#error);
    this.#ready.promise.catch(() => undefined);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#error);
    this.#waiting.clear();
  }
}
