/** A container's files through the broker's workers: native/trees.h. One connection is one piece of work. */
import { constants, write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { isEngineError, messageOf, systemError } from "../base/base.ts";
import { message, PayloadReader } from "./frames.ts";
import type { FileMeta, TarOutput, TreeChange, TreeEntry, TreeStat, Trees, TreeView, TreeWriter } from "./kernel.ts";
import { ByteWriter, encodeFileOp, writeHostOps, writeInitOps, writeStreamedFile } from "./plan-encoding.ts";
import { connectUnix, openStream, readAnswer } from "./unix-socket.ts";

const work = { stat: 1, read: 2, export: 3, write: 4, changes: 5, layer: 6 } as const;

function request(kind: keyof typeof work): ByteWriter {
  return new ByteWriter().u8(work[kind]);
}

function withView(to: ByteWriter, view: TreeView): ByteWriter {
  to.text(view.monitor ?? "");
  writeHostOps(to, view.prepare);
  writeInitOps(to, view.attach);
  return to;
}

function readStat(reader: PayloadReader): TreeStat {
  const [mode, sizeBytes, seconds, nanos] = [reader.u32(), reader.u64(), BigInt.asIntN(64, reader.u64()), reader.u32()];
  return { mode, sizeBytes: Number(sizeBytes), mtimeNanos: seconds * 1_000_000_000n + BigInt(nanos), linkTarget: reader.text() };
}

/**
 * What follows an answer. The first of the two bytes lets the worker begin; it takes the other when all is sent, and one
 * that fails leaves it, which breaks the stream.
 */
function following(socket: Socket, direct: boolean): TarOutput {
  const begin = (): void => {
    socket.write(Buffer.alloc(2));
  };
  socket.on("end", () => socket.destroy());
  if (direct) return { tar: socket, sendToClient: begin };
  begin();
  return { tar: socket };
}

function writeClient(to: ByteWriter, client: number | undefined): ByteWriter {
  return to.u32(client === undefined ? 0 : process.pid).u32(client ?? -1);
}

/** From this size on it pays to write a file ourselves, and not to send its bytes to the worker. */
const lentBytes = 1 << 20;

const lentBufferBytes = 512 * 1024;

/**
 * A file of the worker's into which we write, through two buffers that take turns: one is written while the other is
 * filled. To copy costs less than to keep what comes until it is written, which the garbage collector would have to look
 * after.
 */
class LentFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #left: number;
  #filling: Buffer;
  #other: Buffer;
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.#left = sizeBytes;
    this.#filling = Buffer.allocUnsafeSlow(lentBufferBytes);
    this.#other = Buffer.allocUnsafeSlow(lentBufferBytes);
  }

  /** @param answer of the worker, which has it open */
  static async open(answer: Buffer, sizeBytes: number): Promise<LentFile> {
    const reader = new PayloadReader(answer);
    const [pid, descriptor, device, inode] = [reader.u32(), reader.u32(), reader.u64(), reader.u64()];
    const file = await open(`/proc/${pid}/fd/${descriptor}`, constants.O_WRONLY);
    const { dev, ino } = await file.stat({ bigint: true });
    if (dev === device && ino === inode) return new LentFile(file, sizeBytes);
    // The worker has died, and its number is another's by now.
    await file.close();
    throw systemError("the worker has ended too early");
  }

  /** @returns true when it was the last of it, and all is written */
  async write(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + lentBufferBytes - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      this.#left -= part.length;
      at += part.length;
      if (this.#filled === lentBufferBytes || this.#left === 0) await this.#turn();
    }
    if (this.#left === 0) await this.#writing;
    return this.#left === 0;
  }

  async #turn(): Promise<void> {
    await this.#writing;
    this.#writing = this.#all(this.#filling.subarray(0, this.#filled));
    this.#writing.catch(() => undefined);
    [this.#filling, this.#other] = [this.#other, this.#filling];
    this.#filled = 0;
  }

  async #all(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) done += (await this.#file.write(bytes, done)).bytesWritten;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }
}

class LinuxTreeWriter implements TreeWriter {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly #socket: Socket;
  /** Comes when it is asked for, at the end, or earlier when something has failed. */
  #answer: Promise<Buffer>;
  #answered = false;
  #wake: (() => void) | undefined;
  #lent: LentFile | undefined;

  constructor(socket: Socket, payload: Buffer) {
    const reader = new PayloadReader(payload);
    this.path = reader.text();
    this.isDirectory = reader.u8() !== 0;
    this.#socket = socket;
    this.#answer = this.#nextAnswer();
    socket.on("drain", () => this.#wake?.());
  }

  #nextAnswer(): Promise<Buffer> {
    const answer = readAnswer(this.#socket);
    const done = (): void => {
      this.#answered = true;
      this.#wake?.();
    };
    this.#answered = false;
    answer.then(done, done);
    return answer;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#answered) await this.#refused();
    if (this.#socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    if (this.#answered) await this.#refused();
  }

  async #refused(): Promise<never> {
    await this.#answer;
    throw systemError("the worker has ended too early");
  }

  #record(fill: (to: ByteWriter) => void): Promise<void> {
    const to = new ByteWriter(512).u32(0);
    fill(to);
    const bytes = to.bytes();
    bytes.writeUInt32LE(bytes.length - 4, 0);
    return this.#send(bytes);
  }

  put(entry: TreeEntry): Promise<void> {
    return this.#record((to) => encodeFileOp(to, entry));
  }

  async file(path: Uint8Array, sizeBytes: number, meta: FileMeta): Promise<void> {
    const lent = sizeBytes >= lentBytes;
    await this.#record((to) => writeStreamedFile(to, path, sizeBytes, meta, lent));
    if (!lent) return;
    const answer = await this.#answer;
    this.#answer = this.#nextAnswer();
    this.#lent = await LentFile.open(answer, sizeBytes);
  }

  async contents(bytes: Uint8Array): Promise<void> {
    if (this.#lent === undefined) return await this.#send(bytes);
    if (!(await this.#lent.write(bytes))) return;
    await this.#lent[Symbol.asyncDispose]();
    this.#lent = undefined;
    await this.#send(Buffer.alloc(1));
  }

  async finish(): Promise<void> {
    this.#socket.write(Buffer.alloc(4));
    await this.#answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#lent?.[Symbol.asyncDispose]();
  }
}

function parseChanges(bytes: Buffer): TreeChange[] {
  const reader = new PayloadReader(bytes);
  const changes: TreeChange[] = [];
  while (!reader.ended) changes.push({ kind: reader.u8() as TreeChange["kind"], path: reader.text() });
  return changes;
}

async function writeWhole(file: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await promisify(write)(file, bytes, done)).bytesWritten;
}

export function openTrees(execRoot: string): Trees {
  const ask = async (to: ByteWriter): Promise<{ socket: Socket; answer: Buffer }> => {
    try {
      return await openStream(connectUnix(join(execRoot, "files.sock")), message.tree, to.bytes());
    } catch (error) {
      // A broker that has died is replaced in a moment.
      throw isEngineError(error) ? error : systemError(`cannot reach the broker: ${messageOf(error)}`, error);
    }
  };
  return {
    async stat(view, path) {
      const { socket, answer } = await ask(withView(request("stat"), view).text(path));
      socket.destroy();
      const reader = new PayloadReader(answer);
      reader.u8();
      return readStat(reader);
    },
    async read(view, path, name, client) {
      const { socket, answer } = await ask(
        withView(writeClient(request("read"), client), view)
          .text(path)
          .text(name),
      );
      const reader = new PayloadReader(answer);
      return { ...following(socket, reader.u8() !== 0), stat: readStat(reader) };
    },
    async export(view, client) {
      const { socket, answer } = await ask(withView(writeClient(request("export"), client), view));
      return following(socket, new PayloadReader(answer).u8() !== 0);
    },
    async write(view, path, { keepKinds }) {
      const { socket, answer } = await ask(withView(request("write"), view).text(path).u8(keepKinds));
      return new LinuxTreeWriter(socket, answer);
    },
    async changes(lower: readonly string[], upper: string) {
      const { socket } = await ask(request("changes").list(lower).text(upper));
      const chunks: Buffer[] = [];
      for await (const chunk of following(socket, false).tar) chunks.push(chunk as Buffer);
      return parseChanges(Buffer.concat(chunks));
    },
    async layer(upper, file) {
      const { socket, answer } = await ask(writeClient(request("layer"), file).text(upper));
      const { tar, sendToClient } = following(socket, new PayloadReader(answer).u8() !== 0);
      sendToClient?.();
      // Where the worker could not take the file, the bytes come through here.
      for await (const chunk of tar) await writeWhole(file, chunk as Buffer);
    },
  };
}
