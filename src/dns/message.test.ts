import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { openResolver } from "./dns.ts";
import { nameEnd, readQuestion } from "./message.ts";
import { ask, nameOf, readReply } from "./sample-message.ts";

const resolver = openResolver({ hostServers: async () => [] });
const nobody = { id: "c", scopes: [], upstreams: [], ndotsSet: false };

/** What a container gets for this packet. */
function answered(packet: Uint8Array, overTcp = false): Buffer | undefined {
  const answer = resolver.answer(nobody, packet, overTcp);
  assert.ok(answer === undefined || answer instanceof Uint8Array);
  return answer === undefined ? undefined : Buffer.from(answer);
}

const codeOf = (packet: Uint8Array): number | undefined => {
  const answer = answered(packet);
  return answer === undefined ? undefined : readReply(answer).code;
};

const sample = ask({ name: "www.example.test", type: "A" });

/** The sample with one 16-bit word changed. */
function changed(at: number, value: number, from: Buffer = sample): Buffer {
  const packet = Buffer.from(from);
  packet.writeUInt16BE(value, at);
  return packet;
}

describe("what is asked", () => {
  test("is nothing to answer: answers, and less than a header", () => {
    assert.equal(answered(changed(2, 0x8180)), undefined);
    for (let length = 0; length < 12; length++) assert.equal(answered(sample.subarray(0, length)), undefined);
  });

  test("is FORMERR: no question, two, records where none are, what is cut off or goes on", () => {
    for (const questions of [0, 2, 65535]) assert.equal(codeOf(changed(4, questions)), 1);
    for (const section of [6, 8, 10]) assert.equal(codeOf(changed(section, 1)), 1);
    for (let length = 12; length < sample.length; length++) assert.equal(codeOf(sample.subarray(0, length)), 1);
    assert.equal(codeOf(Buffer.concat([sample, Buffer.of(0)])), 1);
    const twice = ask({ name: "a", type: "A", udpLimit: 1232 });
    assert.equal(codeOf(changed(10, 2, Buffer.concat([twice, twice.subarray(-11)]))), 1);
  });

  test("is NOTIMP: notifications, updates and what else is no query", () => {
    for (let opcode = 1; opcode < 16; opcode++) assert.equal(codeOf(changed(2, opcode << 11)), 4);
  });

  test("is REFUSED: transfers and other classes", () => {
    for (const type of ["AXFR", "IXFR"] as const) assert.equal(codeOf(ask({ name: "a.test", type })), 5);
    assert.equal(codeOf(ask({ name: "version.bind", type: "TXT", class: 3 })), 5);
    assert.equal(codeOf(ask({ name: "a.test", type: "A", class: 255 })), 5);
  });

  test("has EDNS: it is answered with EDNS; another version is BADVERS; less than 512 bytes is 512", () => {
    const reply = readReply(answered(ask({ name: "a.test", type: "A", udpLimit: 100, dnssecOk: true })) ?? Buffer.alloc(0));
    assert.deepEqual(reply.edns, { udpLimit: 4096, extendedCode: 0, dnssecOk: true });
    const other = readReply(answered(ask({ name: "a.test", type: "A", udpLimit: 1232, ednsVersion: 1 })) ?? Buffer.alloc(0));
    assert.deepEqual([other.code, other.edns?.extendedCode], [0, 1]);
    const question = readQuestion(ask({ name: "a.test", type: "A", udpLimit: 100 }));
    assert.ok(question?.kind === "question" && question.edns?.udpLimit === 512);
  });

  test("keeps the asker's RD and CD, and says that recursion is available", () => {
    for (const flags of [0, 0x0100, 0x0010, 0x0110]) {
      const answer = answered(ask({ name: "a.test", type: "A", flags }));
      assert.equal(answer?.readUInt16BE(2), 0x8080 | flags | 2);
    }
  });
});

describe("names", () => {
  const message = (...bytes: number[]): Buffer => Buffer.concat([Buffer.alloc(12), Buffer.from(bytes)]);

  test("up to 255 bytes, of labels up to 63", () => {
    const label = "x".repeat(63);
    assert.equal(nameEnd(Buffer.concat([Buffer.alloc(12), nameOf(`${label}.${label}.${label}.${label.slice(2)}`)]), 12), 12 + 255);
    assert.equal(nameEnd(Buffer.concat([Buffer.alloc(12), nameOf(`${label}.${label}.${label}.${label.slice(1)}`)]), 12), -1);
    assert.equal(nameEnd(message(64, ...Array(64).fill(0x61), 0), 12), -1);
    assert.equal(nameEnd(message(0x80, 0), 12), -1);
  });

  test("pointers lead back and never round", () => {
    assert.equal(nameEnd(message(1, 0x61, 0, 0xc0, 12), 15), 17);
    assert.equal(nameEnd(message(0xc0, 12), 12), -1);
    assert.equal(nameEnd(message(0xc0, 14, 0xc0, 12), 12), -1);
    assert.equal(nameEnd(message(0xc0, 14, 0xc0, 12), 14), -1);
    assert.equal(nameEnd(message(1, 0x61, 0xc0, 12), 14), -1);
    assert.equal(nameEnd(message(0xc0, 0), 12), -1);
    assert.equal(nameEnd(message(1, 0x61, 0, 0xc0), 15), -1);
  });

  test("a dot inside a label is no dot between labels", () => {
    const inside = Buffer.concat([sample.subarray(0, 12), Buffer.from("\x03a.b\x00\x00\x01\x00\x01", "latin1")]);
    const between = ask({ name: "a.b", type: "A" });
    const names = [inside, between].map((packet) => {
      const question = readQuestion(packet);
      return question?.kind === "question" ? question.name : undefined;
    });
    assert.deepEqual(names, ["a\\.b", "a.b"]);
  });
});

describe("whatever the packet", () => {
  test("random bytes, and questions with bytes changed: an answer that can be read, or none", () => {
    const near = fc
      .tuple(fc.constantFrom(sample, ask({ name: "a.b.c", type: "ANY", udpLimit: 1232 })), fc.array(fc.tuple(fc.nat(80), fc.nat(255))))
      .map(([packet, changes]) => {
        const bytes = Buffer.from(packet);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), near), fc.boolean(), (packet, overTcp) => {
        const answer = answered(packet, overTcp);
        if (answer === undefined) return;
        assert.equal(readReply(answer).id, Buffer.from(packet).readUInt16BE(0));
        assert.ok(answer.length <= packet.length + 11);
      }),
      { numRuns: 2000 },
    );
  });

  test("mutated questions and answers cost an error and nothing worse", () => {
    const program = join(import.meta.dirname, "../../fuzz/dns.ts");
    const result = JSON.parse(execFileSync(process.execPath, [program, "20000", "20261121"], { encoding: "utf8" })) as Record<
      string,
      number
    >;
    for (const kind of ["answered", "refused", "dropped", "believed", "passedOver"])
      assert.ok((result[kind] ?? 0) > 100, JSON.stringify(result));
  });
});
