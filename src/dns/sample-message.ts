/** Messages for tests, written and read without the code that is tested. */
import assert from "node:assert/strict";

export const typeOf = { A: 1, NS: 2, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, IXFR: 251, AXFR: 252, ANY: 255 } as const;

export interface Asked {
  readonly name: string;
  readonly type: keyof typeof typeOf;
  readonly id?: number;
  /** With an OPT record. */
  readonly udpLimit?: number;
  readonly dnssecOk?: boolean;
  readonly ednsVersion?: number;
  readonly class?: number;
  readonly flags?: number;
}

const words = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));

export function nameOf(text: string): Buffer {
  const labels = text === "" ? [] : text.split(".");
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, "latin1")]), Buffer.of(0)]);
}

export function ask({ name, type, id = 0x1234, udpLimit, dnssecOk, ednsVersion = 0, class: asked = 1, flags = 0x0100 }: Asked): Buffer {
  const opt = udpLimit === undefined ? [] : [Buffer.of(0), words(41, udpLimit, ednsVersion, dnssecOk ? 0x8000 : 0, 0)];
  return Buffer.concat([words(id, flags, 1, 0, 0, opt.length > 0 ? 1 : 0), nameOf(name), words(typeOf[type], asked), ...opt]);
}

export interface SampleRecord {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly data: string;
}

export interface Reply {
  readonly id: number;
  readonly length: number;
  readonly code: number;
  readonly truncated: boolean;
  readonly recursionAvailable: boolean;
  readonly question: string | undefined;
  readonly answers: readonly SampleRecord[];
  readonly authority: readonly SampleRecord[];
  /** What the answers say. */
  readonly data: string[];
  readonly edns: { readonly udpLimit: number; readonly extendedCode: number; readonly dnssecOk: boolean } | undefined;
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  word(): number {
    this.at += 2;
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  name(): string {
    const labels: string[] = [];
    let back: number | undefined;
    for (let jumps = 0; ; ) {
      const length = this.#bytes.readUInt8(this.at);
      if (length >= 0xc0) {
        assert.ok(++jumps < 20, "a loop of pointers");
        const target = this.word() & 0x3fff;
        back ??= this.at;
        this.at = target;
        continue;
      }
      this.at += 1 + length;
      if (length === 0) break;
      labels.push(this.#bytes.toString("latin1", this.at - length, this.at));
    }
    this.at = back ?? this.at;
    return labels.join(".");
  }

  record(): SampleRecord & { readonly class: number } {
    const [name, type, asked] = [this.name(), this.word(), this.word()];
    const ttl = this.word() * 65536 + this.word();
    const length = this.word();
    const end = this.at + length;
    const bytes = this.#bytes.subarray(this.at, end);
    assert.equal(bytes.length, length);
    let data = bytes.toString("hex");
    if (type === typeOf.A) data = bytes.join(".");
    else if (type === typeOf.AAAA) data = new URL(`http://[${data.replace(/(.{4})(?!$)/g, "$1:")}]`).hostname.slice(1, -1);
    else if (type === typeOf.PTR) data = this.name();
    this.at = end;
    return { name, type, ttl, data, class: asked };
  }
}

/** Reads an answer, all of it. */
export function readReply(message: Uint8Array): Reply {
  const reader = new Reader(message);
  const [id, bits, questions, answerCount, authorityCount, additionalCount] = Array.from({ length: 6 }, () => reader.word());
  assert.ok(bits !== undefined && (bits & 0x8000) !== 0, "no answer");
  let question: string | undefined;
  if (questions === 1) {
    question = reader.name();
    reader.at += 4;
  }
  const records = (count = 0) => Array.from({ length: count }, () => reader.record());
  const [answers, authority, additional] = [records(answerCount), records(authorityCount), records(additionalCount)];
  assert.equal(reader.left, 0, "bytes behind the message");
  const opt = additional.find(({ type }) => type === 41);
  const plain = ({ name, type, ttl, data }: SampleRecord): SampleRecord => ({ name, type, ttl, data });
  return {
    id: id ?? -1,
    length: message.length,
    code: bits & 15,
    truncated: (bits & 0x0200) !== 0,
    recursionAvailable: (bits & 0x0080) !== 0,
    question,
    answers: answers.map(plain),
    authority: authority.map(plain),
    data: answers.map(({ data }) => data),
    edns: opt === undefined ? undefined : { udpLimit: opt.class, extendedCode: opt.ttl >>> 24, dnssecOk: (opt.ttl & 0x8000) !== 0 },
  };
}
