/**
 * Questions to 127.0.0.11 from inside a container's network namespace, byte for byte. This file is also the program that asks: nsenter
 * starts it there, it reads a question a line and prints what came back.
 */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { type Asked, ask, type Reply, readReply } from "../src/dns/sample-message.ts";
import type { Daemon } from "./daemon.ts";

const resolver = "127.0.0.11";
const dnsPort = 53;

interface Order {
  readonly id: number;
  /** Hexadecimal. Several go over one TCP connection, none waiting for another's answer, as glibc asks for both families. */
  readonly messages: readonly string[];
  readonly overTcp: boolean;
  readonly timeoutMs: number;
}

interface Outcome {
  readonly id: number;
  readonly answers: readonly string[];
  readonly ms: number;
}

async function overUdp(messages: readonly Buffer[], timeoutMs: number): Promise<Buffer[]> {
  const socket = createSocket("udp4");
  try {
    socket.connect(dnsPort, resolver);
    await once(socket, "connect");
    for (const message of messages) socket.send(message);
    return (await once(socket, "message", { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
  } catch {
    return [];
  } finally {
    socket.close();
  }
}

async function overTcp(messages: readonly Buffer[], timeoutMs: number): Promise<Buffer[]> {
  const socket = connect(dnsPort, resolver);
  const answers: Buffer[] = [];
  try {
    const end = AbortSignal.timeout(timeoutMs);
    await once(socket, "connect", { signal: end });
    socket.write(Buffer.concat(messages.flatMap((message) => [Buffer.of(message.length >> 8, message.length & 255), message])));
    let all = Buffer.alloc(0);
    while (answers.length < messages.length) {
      const [part] = (await once(socket, "data", { signal: end })) as [Buffer];
      all = Buffer.concat([all, part]);
      for (let length = 0; all.length >= 2 && all.length >= 2 + all.readUInt16BE(0); all = all.subarray(length)) {
        length = 2 + all.readUInt16BE(0);
        answers.push(all.subarray(2, length));
      }
    }
    return answers;
  } catch {
    return answers;
  } finally {
    socket.destroy();
  }
}

async function carryOut(order: Order): Promise<void> {
  const since = performance.now();
  const messages = order.messages.map((message) => Buffer.from(message, "hex"));
  const answers = await (order.overTcp ? overTcp : overUdp)(messages, order.timeoutMs);
  const outcome: Outcome = { id: order.id, ms: performance.now() - since, answers: answers.map((answer) => answer.toString("hex")) };
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

export interface TimedReply extends Reply {
  readonly ms: number;
}

/** Asks as a program of one container would. */
export class DnsAsker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #last = 0;

  private constructor(pid: number) {
    this.#child = spawn("nsenter", ["-t", String(pid), "-n", process.execPath, import.meta.filename]);
    this.#child.stderr.pipe(process.stderr);
    createInterface(this.#child.stdout).on("line", (line) => {
      const outcome = JSON.parse(line) as Outcome;
      this.#waiting.get(outcome.id)?.(outcome);
      this.#waiting.delete(outcome.id);
    });
  }

  static async in(daemon: Daemon, container: string): Promise<DnsAsker> {
    return new DnsAsker(Number(await daemon.ok("inspect", "-f", "{{.State.Pid}}", container)));
  }

  /** Any bytes. @returns what came back in time */
  async send(
    messages: readonly Uint8Array[],
    overTcp = false,
    timeoutMs = 6000,
  ): Promise<{ readonly answers: Buffer[]; readonly ms: number }> {
    const id = ++this.#last;
    const order: Order = { id, messages: messages.map((message) => Buffer.from(message).toString("hex")), overTcp, timeoutMs };
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.set(id, resolve);
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    const { answers, ms } = await promise;
    return { answers: answers.map((answer) => Buffer.from(answer, "hex")), ms };
  }

  async ask(name: string, type: Asked["type"] = "A", more: Partial<Asked> = {}, overTcp = false): Promise<TimedReply> {
    const { answers, ms } = await this.send([ask({ name, type, ...more })], overTcp);
    const [answer] = answers;
    assert.ok(answer !== undefined, `${name} ${type} is not answered`);
    return { ...readReply(answer), ms };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.stdin.end();
    await closed;
  }
}

if (import.meta.main) createInterface(process.stdin).on("line", (line) => void carryOut(JSON.parse(line) as Order));
