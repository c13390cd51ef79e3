/**
 * Mutates questions of containers and answers of upstreams: each question is answered in a way that can be read, or not at all; each
 * answer is passed over, or is whole and is passed on as one that can be read.
 *   node fuzz/dns.ts [COUNT] [SEED]
 */
import { type DnsClient, openResolver, parseLinks, Zone } from "../src/dns/dns.ts";
import { readQuestion } from "../src/dns/message.ts";
import { ask, nameOf, readReply, typeOf } from "../src/dns/sample-message.ts";
import { answerTo } from "../src/dns/sample-server.ts";
import { answerFor, readAnswer } from "../src/dns/upstream-answer.ts";

type Random = (below: number) => number;

/** A small generator, so that a seed gives the same packets again (Marsaglia's xorshift32). */
function randomFrom(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

const names = ["web", "WEB.front", "all", "nobody", "a.b.front", "", "2.0.18.172.in-addr.arpa", "x".repeat(63), "www.example.test"];
const kinds = Object.keys(typeOf) as (keyof typeof typeOf)[];

function sampleClient(): DnsClient {
  const zone = new Zone("front");
  zone.set("1", { names: ["web"], address: "172.18.0.2", address6: "fd00::2" });
  for (let index = 0; index < 60; index++) zone.set(`all${index}`, { names: ["all", "a.b"], address: `10.0.0.${index}` });
  return { id: "c", scopes: [{ zone, links: parseLinks(["web:link"]) }], upstreams: [], ndotsSet: false };
}

function sampleQuestion(random: Random): Buffer {
  const edns = random(2) === 0 ? {} : { udpLimit: random(5000), dnssecOk: random(2) === 0 };
  return ask({ name: pick(random, names), type: pick(random, kinds), id: random(65536), ...edns });
}

function sampleAnswer(random: Random, question: Buffer): Buffer {
  const addresses = Array.from({ length: random(5) }, (_, index) => `192.0.2.${index}`);
  const more = random(3) === 0 ? { negativeTtl: random(100) } : {};
  const answer = answerTo(question, { addresses, code: random(4) === 0 ? random(16) : 0, truncated: random(8) === 0, ...more });
  if (random(4) > 0) return answer;
  // A record more, whose data is a name with a pointer.
  answer.writeUInt16BE(answer.readUInt16BE(10) + 1, 10);
  const data = Buffer.concat([nameOf("ns").subarray(0, -1), Buffer.of(0xc0, 12)]);
  return Buffer.concat([answer, Buffer.of(0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 9, 0, data.length), data]);
}

/** Changes a few bytes, mostly to such as have a meaning; cuts, repeats and adds. */
function mutate(packet: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(packet);
  for (let changes = random(5); changes > 0; changes--) {
    const at = random(bytes.length + 1);
    const kind = random(6);
    if (kind < 2) bytes[at] = pick(random, [0, 1, 12, 41, 63, 64, 0x80, 0xc0, 0xff, random(256)]);
    else if (kind === 2) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else if (kind === 3 && at + 1 < bytes.length) bytes.writeUInt16BE(0xc000 | random(bytes.length + 2), at);
    else if (kind === 4) bytes = bytes.subarray(0, at);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1), at), bytes.subarray(at)]);
  }
  return bytes;
}

type Count = Record<"answered" | "refused" | "dropped" | "believed" | "passedOver", number>;

function tryQuestion(client: DnsClient, random: Random, count: Count): void {
  const resolver = openResolver();
  const packet = mutate(sampleQuestion(random), random);
  const overTcp = random(4) === 0;
  const answer = resolver.answer(client, packet, overTcp);
  if (answer === undefined) {
    count.dropped++;
    return;
  }
  if (!(answer instanceof Uint8Array)) throw new Error("without upstreams nothing is waited for");
  const { code, id } = readReply(answer);
  if (id !== packet.readUInt16BE(0)) throw new Error("another id");
  const question = readQuestion(packet);
  const limit = overTcp ? 65535 : (question?.edns?.udpLimit ?? 512);
  if (answer.length > limit) throw new Error(`${answer.length} bytes for who takes ${limit}`);
  count[code === 0 ? "answered" : "refused"]++;
}

function tryAnswer(random: Random, count: Count): void {
  const asked = readQuestion(sampleQuestion(random));
  if (asked?.kind !== "question") return;
  const sent = Buffer.from(asked.message);
  const packet = mutate(sampleAnswer(random, sent), random);
  const answer = readAnswer(sent, packet);
  if (answer === undefined) {
    count.passedOver++;
    return;
  }
  count.believed++;
  if (packet.readUInt16BE(0) !== sent.readUInt16BE(0)) throw new Error("an answer to another question is believed");
  if (packet.readUInt16BE(4) === 0) return;
  const reply = answerFor(asked, answer, random(1000), 65535);
  if (reply === undefined) throw new Error("too long for TCP");
  if (!Buffer.from(reply.subarray(12, asked.end)).equals(sent.subarray(12, asked.end))) throw new Error("the question is another");
  if (readQuestion(reply) !== undefined) throw new Error("the answer could pass for a question");
}

/** @throws what any of the packets threw, with the run's number */
function fuzzDns(runs: number, seed: number): Count {
  const random = randomFrom(seed);
  const client = sampleClient();
  const count: Count = { answered: 0, refused: 0, dropped: 0, believed: 0, passedOver: 0 };
  for (let run = 0; run < runs; run++) {
    try {
      tryQuestion(client, random, count);
      tryAnswer(random, count);
    } catch (error) {
      throw new Error(`run ${run} of seed ${seed} failed`, { cause: error });
    }
  }
  return count;
}

if (import.meta.main) {
  const runs = Number(process.argv[2] ?? 100_000);
  const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
  process.stdout.write(`${JSON.stringify({ seed, ...fuzzDns(runs, seed) })}\n`);
}
