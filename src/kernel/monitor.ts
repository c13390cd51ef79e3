/** A monitor, over its control connection; streams have connections of their own. */
import type { Socket } from "node:net";
import { systemError } from "../base/base.ts";
import { encodeFrame, type Frame, FrameDecoder, failureError, message, PayloadReader, readFailure } from "./frames.ts";
import type { ExecSession, Monitor } from "./kernel.ts";
import type { DnsQuery, ExecPlan, ExitRecord, NetworkChangePlan } from "./plan.ts";
import { ByteWriter, encodeExecPlan, encodeNetworkChange } from "./plan-encoding.ts";
import { connectUnix, openStream } from "./unix-socket.ts";

const state = { launching: 0, launched: 1, running: 2, failed: 3, exited: 4 } as const;
const attachFlag = { stdin: 1, stdout: 2, stderr: 4, log: 8 } as const;
/** What a session counts as whose monitor is gone: killed. */
const lostExitCode = 137;
/** How long a connection is kept for an exec session that is expected. */
const spareMs = 1000;

const none = new Uint8Array();
const dnsListen = encodeFrame(0, message.dnsListen, none);

function encodeDnsAnswer(id: number, answer: Uint8Array): Buffer {
  return encodeFrame(0, message.dnsAnswer, new ByteWriter(answer.length + 9).u32(id).blob(answer).bytes());
}

interface Attached {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

type Answer = PromiseWithResolvers<Buffer>;

/** So that a rejection that nobody has asked for yet does not end the daemon. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

export class LinuxMonitor implements Monitor {
  readonly launched: Promise<{ readonly pid: number }>;
  readonly exited: Promise<ExitRecord | undefined>;
  readonly #path: string;
  readonly #socket: Promise<Socket>;
  /** The control connection, when it is there. */
  #connected: Socket | undefined;
  readonly #decoder = new FrameDecoder();
  readonly #answers = new Map<number, Answer>();
  readonly #sessions = new Map<string, PromiseWithResolvers<{ exitCode: number }>>();
  readonly #launched = Promise.withResolvers<{ pid: number }>();
  readonly #exited = Promise.withResolvers<ExitRecord | undefined>();
  /** A connection for the next exec session. */
  #spare: { take(): Promise<Socket>; drop(): void } | undefined;
  #logRotated: (() => void) | undefined;
  #dnsQuery: ((query: DnsQuery) => void) | undefined;
  /** Answers of this turn, which are written together. */
  #dnsAnswers: Buffer[] = [];
  #lastId = 1;
  #released = false;
  #closed = false;

  /** Connects at once; whether that works shows in `launched`, or in {@link connected}. */
  constructor(socketPath: string) {
    this.#path = socketPath;
    this.launched = quiet(this.#launched.promise);
    this.exited = this.#exited.promise;
    this.#socket = quiet(this.#connect());
  }

  async connected(): Promise<void> {
    await this.#socket;
  }

  async #connect(): Promise<Socket> {
    const hello = Promise.withResolvers<Buffer>();
    this.#answers.set(1, hello);
    hello.promise.then(
      (payload) => this.#greeted(payload),
      () => undefined,
    );
    try {
      const socket = await connectUnix(this.#path);
      socket.on("data", (chunk: Buffer) => this.#receive(socket, chunk));
      socket.on("error", () => undefined);
      socket.on("end", () => socket.destroy());
      socket.on("close", () => this.#close(systemError("the container's monitor has gone")));
      const listening = this.#dnsQuery === undefined ? [] : [dnsListen];
      socket.write(Buffer.concat([encodeFrame(1, message.control, new Uint8Array()), ...listening]));
      this.#connected = socket;
      return socket;
    } catch (error) {
      this.#close(systemError("cannot connect to the container's monitor", error));
      throw error;
    }
  }

  #greeted(payload: Buffer): void {
    const reader = new PayloadReader(payload);
    const now = reader.u8();
    const pid = reader.u32();
    if (now === state.launched || now === state.running || now === state.exited) this.#launched.resolve({ pid });
  }

  #receive(socket: Socket, chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#take(frame);
    } catch {
      socket.destroy();
    }
  }

  #take(frame: Frame): void {
    const reader = new PayloadReader(frame.payload);
    switch (frame.type) {
      case message.failed:
        this.#launched.reject(failureError(readFailure(frame.payload)));
        return;
      case message.exit:
        this.#exited.resolve({ exitCode: reader.u8(), signal: reader.u8(), oomKilled: reader.u8() !== 0, finishedAt: reader.text() });
        return;
      case message.dnsQuery:
        this.#dnsQuery?.({ id: reader.u32(), overTcp: reader.u8() !== 0, message: reader.blob() });
        return;
      case message.logRotated:
        this.#logRotated?.();
        return;
      case message.execExit: {
        const id = reader.text();
        this.#sessions.get(id)?.resolve({ exitCode: reader.u8() });
        this.#sessions.delete(id);
        return;
      }
      default: {
        const answer = this.#answers.get(frame.id);
        this.#answers.delete(frame.id);
        if (frame.type === message.failure) answer?.reject(failureError(readFailure(frame.payload)));
        else answer?.resolve(frame.payload);
      }
    }
  }

  #close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#spare?.drop();
    this.#launched.reject(error);
    for (const answer of this.#answers.values()) {
      quiet(answer.promise);
      answer.reject(error);
    }
    this.#answers.clear();
    if (this.#released) return;
    for (const session of this.#sessions.values()) session.resolve({ exitCode: lostExitCode });
    this.#exited.resolve(undefined);
  }

  async #request(type: number, payload: Uint8Array): Promise<Buffer> {
    const socket = await this.#socket;
    if (this.#closed || socket.destroyed) throw systemError("the container's monitor has gone");
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Buffer>();
    this.#answers.set(id, answer);
    socket.write(encodeFrame(id, type, payload));
    return await answer.promise;
  }

  async go(): Promise<void> {
    await this.launched;
    await this.#request(message.go, new Uint8Array());
  }

  async attach(options: Attached): Promise<Socket> {
    return (await this.#attach(options, 0)).socket;
  }

  async attachAfterLog(options: Attached): Promise<{ socket: Socket; log: { inode: bigint; offset: number } }> {
    const { socket, answer } = await this.#attach(options, attachFlag.log);
    const reader = new PayloadReader(answer);
    return { socket, log: { inode: reader.u64(), offset: Number(reader.u64()) } };
  }

  async #attach(options: Attached, more: number): Promise<{ socket: Socket; answer: Buffer }> {
    let flags = more;
    if (options.stdin) flags |= attachFlag.stdin;
    if (options.stdout) flags |= attachFlag.stdout;
    if (options.stderr) flags |= attachFlag.stderr;
    try {
      return await openStream(connectUnix(this.#path), message.attach, Uint8Array.of(flags));
    } catch (error) {
      // Where the launch has failed, that is why: the connection is only its first victim.
      await this.launched;
      throw systemError("cannot attach to the container", error);
    }
  }

  expectExec(): void {
    if (this.#closed || this.#spare !== undefined) return;
    // A monitor that ends breaks it, and nobody may be listening then.
    const connecting = quiet(connectUnix(this.#path).then((socket) => socket.on("error", () => undefined)));
    const forget = (): void => {
      clearTimeout(timer);
      this.#spare = undefined;
    };
    const drop = (): void => {
      forget();
      connecting.then(
        (socket) => socket.destroy(),
        () => undefined,
      );
    };
    const timer = setTimeout(drop, spareMs);
    timer.unref();
    const take = (): Promise<Socket> => {
      forget();
      return connecting;
    };
    this.#spare = { take, drop };
  }

  onLogRotated(listener: () => void): void {
    this.#logRotated = listener;
  }

  async replaceLogFile(inode: bigint, packed: string | undefined): Promise<void> {
    await this.#request(
      message.logReplace,
      new ByteWriter(256)
        .u64(inode)
        .text(packed ?? "")
        .bytes(),
    );
  }

  async exec(plan: ExecPlan): Promise<ExecSession> {
    const exited = Promise.withResolvers<{ exitCode: number }>();
    if (this.#closed) throw systemError("the container's monitor has gone");
    this.#sessions.set(plan.execId, exited);
    try {
      const { socket, answer } = await openStream(this.#spare?.take() ?? connectUnix(this.#path), message.exec, encodeExecPlan(plan));
      return {
        pid: answer.readUInt32LE(0),
        stream: socket,
        exited: exited.promise,
        resize: async (rows, columns) => {
          await this.#request(message.execResize, new ByteWriter(128).text(plan.execId).u16(rows).u16(columns).bytes());
        },
        signal: async (signal) => {
          await this.#request(message.execSignal, new ByteWriter(128).text(plan.execId).u32(signal).bytes());
        },
      };
    } catch (error) {
      this.#sessions.delete(plan.execId);
      throw error;
    }
  }

  async signal(signal: number): Promise<void> {
    await this.#request(message.signal, new ByteWriter(4).u32(signal).bytes());
  }

  async resize(rows: number, columns: number): Promise<void> {
    await this.#request(message.resize, new ByteWriter(4).u16(rows).u16(columns).bytes());
  }

  async changeNetwork(plan: NetworkChangePlan): Promise<void> {
    await this.#request(message.changeNetwork, encodeNetworkChange(plan));
  }

  onDnsQuery(listener: (query: DnsQuery) => void): void {
    if (this.#dnsQuery === undefined) this.#connected?.write(dnsListen);
    this.#dnsQuery = listener;
  }

  answerDns(id: number, answer: Uint8Array | undefined): void {
    if (this.#dnsAnswers.length === 0) setImmediate(() => this.#sendDnsAnswers());
    this.#dnsAnswers.push(encodeDnsAnswer(id, answer ?? none));
  }

  #sendDnsAnswers(): void {
    const answers = this.#dnsAnswers;
    this.#dnsAnswers = [];
    if (this.#connected?.destroyed === false) this.#connected.write(Buffer.concat(answers));
  }

  release(): void {
    this.#released = true;
    this.#spare?.drop();
    this.#socket.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  }
}
