/** Reads along one direction of an HTTP/1.1 connection: heads and bodies come out, nothing is changed or held back. */

export interface Head {
  /** `GET /path HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly start: string;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface TapListener {
  /** @returns false: there is no body whatever the head says; undefined: go by the head */
  head(head: Head): false | undefined;
  body(chunk: Buffer): void;
  /** The message is complete. */
  end(): void;
}

const maxHeadBytes = 1024 * 1024;

type Body = { readonly kind: "length"; left: number } | { readonly kind: "chunked" } | { readonly kind: "rest" };

export class HttpTap {
  readonly #listener: TapListener;
  /** What a message without length or chunks means: nothing in a request, the rest of the connection in an answer. */
  readonly #isAnswer: boolean;
  #pending: Buffer = Buffer.alloc(0);
  #body: Body | undefined;
  /** Of a chunked body: bytes left of this chunk with its line end; undefined: a size line comes next. */
  #chunkLeft: number | undefined;
  #inTrailers = false;
  #off = false;

  constructor(side: "request" | "answer", listener: TapListener) {
    this.#isAnswer = side === "answer";
    this.#listener = listener;
  }

  /** The rest of the connection is not HTTP. */
  stop(): void {
    this.#off = true;
    this.#pending = Buffer.alloc(0);
  }

  push(chunk: Buffer): void {
    if (this.#off) return;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (!this.#off && this.#pending.length > 0 && this.#step()) {
      // As long as there is a whole part.
    }
  }

  /** The connection has ended: so has a body that is the rest of it. */
  close(): void {
    if (!this.#off && this.#body?.kind === "rest") this.#finish();
    this.stop();
  }

  /** @returns whether something was taken from what is pending */
  #step(): boolean {
    if (this.#body === undefined) return this.#readHead();
    switch (this.#body.kind) {
      case "length":
        this.#body.left -= this.#give(this.#body.left);
        if (this.#body.left === 0) this.#finish();
        return true;
      case "rest":
        this.#give(this.#pending.length);
        return true;
      case "chunked":
        return this.#readChunked();
    }
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#pending.length > maxHeadBytes) this.stop();
      return false;
    }
    const [start = "", ...lines] = this.#pending.subarray(0, end).toString("latin1").split("\r\n");
    if (!(this.#isAnswer ? /^HTTP\/1\.[01] \d{3}/ : /^[A-Z]+ \S+ HTTP\/1\.[01]$/).test(start)) {
      this.stop();
      return false;
    }
    this.#pending = this.#pending.subarray(end + 4);
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const none = this.#listener.head({ start, headers }) === false;
    if (!this.#off) this.#body = none ? { kind: "length", left: 0 } : this.#bodyOf(headers);
    if (this.#body?.kind === "length" && this.#body.left === 0) this.#finish();
    return true;
  }

  #bodyOf(headers: ReadonlyMap<string, string>): Body {
    if (headers.get("transfer-encoding")?.includes("chunked") === true) return { kind: "chunked" };
    const length = headers.get("content-length");
    return length === undefined && this.#isAnswer ? { kind: "rest" } : { kind: "length", left: Number(length ?? 0) };
  }

  #readChunked(): boolean {
    if (this.#chunkLeft !== undefined) {
      const data = Math.max(0, this.#chunkLeft - 2);
      const taken = data > 0 ? this.#give(data) : this.#drop(this.#chunkLeft);
      this.#chunkLeft -= taken;
      if (this.#chunkLeft === 0) this.#chunkLeft = undefined;
      return true;
    }
    const end = this.#pending.indexOf("\r\n");
    if (end < 0) return false;
    const line = this.#pending.subarray(0, end).toString("latin1");
    this.#drop(end + 2);
    if (this.#inTrailers) {
      if (line === "") this.#finish();
      return true;
    }
    const size = Number.parseInt(line, 16);
    if (size === 0) this.#inTrailers = true;
    else this.#chunkLeft = size + 2;
    return true;
  }

  #give(most: number): number {
    const chunk = this.#pending.subarray(0, most);
    this.#pending = this.#pending.subarray(chunk.length);
    if (chunk.length > 0) this.#listener.body(chunk);
    return chunk.length;
  }

  #drop(most: number): number {
    const dropped = Math.min(most, this.#pending.length);
    this.#pending = this.#pending.subarray(dropped);
    return dropped;
  }

  #finish(): void {
    this.#body = undefined;
    this.#inTrailers = false;
    this.#chunkLeft = undefined;
    this.#listener.end();
  }
}
