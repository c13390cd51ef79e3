/** Answers that a container's own networks give. */
import type { DnsClient, Scope } from "./dns.ts";
import { type Question, types } from "./message.ts";
import { emptyReply, type RecordData, recordsReply } from "./reply.ts";
import type { NameEntry } from "./zone.ts";

/** What a name may stand for: first the whole of it, then what is before a dot in the network whose name is behind it. */
function* candidates(scopes: readonly Scope[], name: string): Generator<NameEntry> {
  for (const { zone, links } of scopes) {
    const linked = links?.get(name);
    const entry = linked === undefined ? undefined : zone.find(linked);
    if (entry !== undefined) yield entry;
  }
  for (const { zone } of scopes) {
    const entry = zone.find(name);
    if (entry !== undefined) yield entry;
  }
  for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
    for (const { zone, links } of scopes) {
      if (zone.key.length !== name.length - dot - 1 || !name.endsWith(zone.key)) continue;
      const host = name.slice(0, dot);
      const entry = zone.find(links?.get(host) ?? host);
      if (entry !== undefined) yield entry;
    }
  }
}

const recordsOf4 = ({ addresses }: NameEntry): RecordData => ({ type: types.a, length: 4, data: addresses });
const recordsOf6 = ({ addresses6 }: NameEntry): RecordData => ({ type: types.aaaa, length: 16, data: addresses6 });

function recordsFor(type: number, entry: NameEntry): RecordData[] {
  switch (type) {
    case types.a:
      return [recordsOf4(entry)];
    case types.aaaa:
      return [recordsOf6(entry)];
    case types.any:
      return [recordsOf4(entry), recordsOf6(entry)];
    default:
      return [];
  }
}

const filled = (records: readonly RecordData[]): boolean => records.some(({ data }) => data.length > 0);

function answerName(scopes: readonly Scope[], question: Question, limit: number): Uint8Array | undefined {
  let known = false;
  for (const entry of candidates(scopes, question.name)) {
    known = true;
    const records = recordsFor(question.type, entry);
    if (filled(records)) return recordsReply(question, records, entry.turn++, limit);
  }
  // Whatever else is asked about a name of ours is nobody's business outside.
  return known ? emptyReply(question) : undefined;
}

/** The address of a reverse name as `Zone.nameOf` wants it. */
function addressOf(name: string): string | undefined {
  if (name.endsWith(".in-addr.arpa")) {
    const parts = name.slice(0, -13).split(".");
    return parts.length === 4 ? parts.reverse().join(".") : undefined;
  }
  if (!name.endsWith(".ip6.arpa")) return undefined;
  const nibbles = name.slice(0, -9).split(".");
  return nibbles.length === 32 ? nibbles.reverse().join("") : undefined;
}

/** A name in the form that messages have; undefined if it cannot be one. */
function nameBytes(name: string): Uint8Array | undefined {
  const labels = name.split(".").map((label) => Buffer.from(label));
  if (labels.some(({ length }) => length === 0 || length > 63)) return undefined;
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
  return bytes.length > 255 ? undefined : bytes;
}

function answerReverse(scopes: readonly Scope[], question: Question, limit: number): Uint8Array | undefined {
  const address = addressOf(question.name);
  if (address === undefined) return undefined;
  for (const { zone } of scopes) {
    const name = zone.nameOf(address);
    const data = name === undefined ? undefined : nameBytes(name);
    if (data !== undefined) return recordsReply(question, [{ type: types.ptr, length: data.length, data }], 0, limit);
  }
  return undefined;
}

/** @returns undefined when none of the client's networks knows the name */
export function answerLocally(client: DnsClient, question: Question, limit: number): Uint8Array | undefined {
  const { scopes, ndotsSet } = client;
  const reverse = question.type === types.ptr ? answerReverse(scopes, question, limit) : undefined;
  const known = reverse ?? answerName(scopes, question, limit);
  if (known !== undefined) return known;
  const address = question.type === types.a || question.type === types.aaaa;
  return ndotsSet && address && !question.name.includes(".") ? emptyReply(question) : undefined;
}
