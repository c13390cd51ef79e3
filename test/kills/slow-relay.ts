/** Stands before a registry, lets bytes through at a pace, and counts them: of blobs that are fetched and of those that are sent. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

interface Fetched {
  readonly digest: string;
  /** The first byte that was asked for. */
  readonly from: number;
  bytes: number;
}

const pieceBytes = 32 << 10;

export class SlowRelay implements AsyncDisposable {
  readonly fetched: Fetched[] = [];
  /** Bytes of bodies that went to the registry's uploads. */
  sentBytes = 0;
  /** Milliseconds for each 32 KiB of a blob; 0: as fast as they come. */
  pauseMs = 0;
  /** Where the registry listens; it may come back elsewhere. */
  target: number;
  readonly #server: Server;

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((asked, answer) => {
      this.#relay(asked, answer).catch(() => answer.destroy());
    });
  }

  static async open(target: number): Promise<SlowRelay> {
    const relay = new SlowRelay(target);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  forget(): void {
    this.fetched.length = 0;
    this.sentBytes = 0;
  }

  /** Of a blob, or of all. */
  fetchedBytes(digest?: string): number {
    return this.fetched.filter((each) => digest === undefined || each.digest === digest).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #relay(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = "GET", url = "/", headers } = asked;
    const there = request({ host: "127.0.0.1", port: this.target, method, path: url, headers, agent: false });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      there.on("response", resolve).on("error", reject);
    });
    // Before it is awaited the body may have broken off.
    answered.catch(() => undefined);
    answer.on("close", () => there.destroy());
    const isUpload = /\/blobs\/uploads\//.test(url);
    const count = (bytes: number): void => {
      if (isUpload) this.sentBytes += bytes;
    };
    await pipeline(Readable.from(this.#paced(asked, isUpload, count), { objectMode: false }), there);
    const got = await answered;
    answer.writeHead(got.statusCode ?? 502, got.headers);
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url)?.[1];
    const isBlob = method === "GET" && digest !== undefined;
    const entry: Fetched = { digest: digest ?? "", from: Number(/^bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0), bytes: 0 };
    if (isBlob) this.fetched.push(entry);
    await pipeline(
      Readable.from(
        this.#paced(got, isBlob, (bytes) => {
          entry.bytes += bytes;
        }),
        { objectMode: false },
      ),
      answer,
    );
  }

  async *#paced(source: Readable, isSlow: boolean, count: (bytes: number) => void): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.subarray(at, at + pieceBytes);
        count(piece.length);
        yield piece;
        if (isSlow && this.pauseMs > 0) await sleep(this.pauseMs);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
