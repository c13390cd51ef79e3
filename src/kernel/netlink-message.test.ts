import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressBytes, addressText, macBytes, macText } from "./netlink-address.ts";
import { attributeList, dataMessages, findRefusal, NetlinkWriter, parseMessages, readText, readU32, readU32be } from "./netlink-message.ts";

describe("netlink messages", () => {
  test("what is written is read again", () => {
    const attribute = fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 70 }));
    const message = fc.record({
      type: fc.integer({ min: 16, max: 0xffff }),
      fixed: fc.integer({ min: 0, max: 4 }),
      list: fc.array(attribute, { maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const writer = new NetlinkWriter(4);
        for (const [index, { type, fixed, list }] of messages.entries()) {
          writer.message(type, 5, index, () => {
            writer.raw(new Uint8Array(fixed * 4).fill(7));
            for (const [kind, content] of list) writer.attribute(kind, content);
          });
        }
        const read = parseMessages(writer.bytes);
        assert.equal(read.length, messages.length);
        for (const [index, { type, fixed, list }] of messages.entries()) {
          const found = read[index];
          assert.deepEqual([found?.type, found?.flags, found?.sequence], [type, 5, index]);
          const attributes = attributeList(found?.payload ?? new Uint8Array(), fixed * 4);
          assert.deepEqual(
            attributes.map(([kind, content]) => [kind, [...content]]),
            list.map(([kind, content]) => [kind, [...content]]),
          );
        }
      }),
    );
  });

  test("nested attributes, numbers and text", () => {
    const writer = new NetlinkWriter();
    writer.message(16, 0, 1, () => {
      writer.nest(3, () => {
        writer.u32(1, 0xfedcba98);
        writer.u32be(2, -4);
        writer.text(3, "berth0");
      });
    });
    const [message] = parseMessages(writer.bytes);
    const [[type, content] = [0, new Uint8Array()]] = attributeList(message?.payload ?? new Uint8Array());
    const inner = new Map(attributeList(content));
    assert.equal(type, 3);
    assert.equal(readU32(inner.get(1)), 0xfedcba98);
    assert.equal(readU32be(inner.get(2)), 0xfffffffc);
    assert.equal(readText(inner.get(3)), "berth0");
  });

  test("hostile answers end in an error or in data, never in a loop", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const message of dataMessages(bytes)) attributeList(message.payload);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
  });

  test("a refusal with the kernel's own words", () => {
    const writer = new NetlinkWriter();
    writer.message(2, 0x200, 9, () => {
      writer.rawU32(-17 >>> 0);
      // The refused request: a header and four bytes of payload.
      writer.raw([20, 0, 0, 0, 16, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
      writer.text(1, "File exists");
    });
    assert.deepEqual(findRefusal(writer.bytes), { errno: 17, sequence: 9, message: "File exists" });
    const acknowledged = new NetlinkWriter();
    acknowledged.message(2, 0x100, 9, () => acknowledged.raw(new Uint8Array(20)));
    assert.equal(findRefusal(acknowledged.bytes), undefined);
  });
});

describe("addresses", () => {
  test("IPv6 in text is as URLs write it, and comes back", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (words) => {
        const text = words.map((word) => word.toString(16)).join(":");
        const bytes = addressBytes(text);
        assert.deepEqual(
          [...bytes],
          words.flatMap((word) => [word >> 8, word & 255]),
        );
        assert.equal(`[${addressText(bytes)}]`, new URL(`http://[${text}]/`).hostname);
        assert.deepEqual(addressBytes(addressText(bytes)), bytes);
      }),
    );
  });

  test("other spellings", () => {
    assert.deepEqual([...addressBytes("::ffff:10.0.0.1")].slice(10), [255, 255, 10, 0, 0, 1]);
    assert.deepEqual([...addressBytes("::10.0.0.1")].slice(11), [0, 10, 0, 0, 1]);
    assert.equal(addressText(addressBytes("1:2::")), "1:2::");
    assert.equal(addressText(addressBytes("172.17.0.2")), "172.17.0.2");
    for (const wrong of ["", "1.2.3", "1.2.3.4.5", "::1%eth0", "localhost"]) assert.throws(() => addressBytes(wrong), RangeError);
  });

  test("MAC addresses", () => {
    assert.equal(macText(macBytes("02:42:AC-11:00:02".replace("-", ":"))), "02:42:ac:11:00:02");
    for (const wrong of ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "zz:42:ac:11:00:02", "0242ac110002"])
      assert.throws(() => macBytes(wrong), RangeError);
  });
});
