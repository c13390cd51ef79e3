/** What lies at an address, for `docker import URL`: in Docker's words where there is nothing. */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, type ErrorCode, invalidParameter, systemError } from "../base/base.ts";
import { networkError, ofRequest } from "../distribution/network-error.ts";

export interface Download {
  readonly url: URL;
  readonly bytes: Readable;
  /** Where the server says it. */
  readonly totalBytes: number | undefined;
}

const progressMs = 100;
/** Of what a server says of its refusal. */
const mostWords = 2000;

const codes: Readonly<Record<number, ErrorCode>> = { 400: "InvalidParameter", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound" };

/** @param address without a scheme: by HTTP. @throws EngineError */
export async function download(address: string, signal: AbortSignal): Promise<Download> {
  const text = address.includes("://") ? address : `http://${address}`;
  if (!URL.canParse(text)) throw invalidParameter(`parse ${JSON.stringify(text)}: invalid URL`);
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol))
    throw systemError(`Get ${JSON.stringify(text)}: unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`);
  const answer = await fetch(url, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    const why = ofRequest("GET", text, networkError(error instanceof Error && error.cause !== undefined ? error.cause : error));
    throw systemError(why.message, error);
  });
  if (!answer.ok || answer.body === null) {
    const words = (await answer.text()).trim().slice(0, mostWords);
    const status = `${answer.status} ${answer.statusText}`;
    throw new EngineError(codes[answer.status] ?? "System", `failed to GET ${text} with status ${status}: ${words}`);
  }
  const length = Number(answer.headers.get("content-length") ?? Number.NaN);
  return { url, bytes: Readable.fromWeb(answer.body), totalBytes: Number.isSafeInteger(length) ? length : undefined };
}

/** Bytes on their way to an image, and Docker's messages of how many there are. */
export class Counted {
  readonly #total: number | undefined;
  #bytes = 0;
  readonly stream: Readable;

  constructor({ bytes, totalBytes }: Download) {
    this.#total = totalBytes;
    this.stream = Readable.from(this.#counted(bytes), { objectMode: false });
  }

  async *#counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#bytes += chunk.length;
      yield chunk;
    }
  }

  /** Until the work is done, well or not. */
  async *progress(work: Promise<unknown>): AsyncGenerator<Record<string, unknown>> {
    const ended = work.then(
      () => true,
      () => true,
    );
    for (let told = -1; !(await Promise.race([ended, sleep(progressMs, false, { ref: false })])); ) {
      if (told === this.#bytes) continue;
      told = this.#bytes;
      yield { status: "Importing", progressDetail: { current: told, ...(this.#total === undefined ? {} : { total: this.#total }) } };
    }
  }
}
