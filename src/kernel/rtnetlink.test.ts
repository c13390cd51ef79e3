import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAttributes, parseMessages, readText } from "./netlink-message.ts";
import { addAddress, addBridge, addRoute, addVethPair, setLink } from "./rtnetlink.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("rtnetlink requests", () => {
  test("bytes of a link that is set up", () => {
    // nlmsghdr: 32 bytes, RTM_NEWLINK, REQUEST|ACK, sequence 1; ifinfomsg: index 7, IFF_UP in flags and mask.
    assert.equal(hex(setLink(7, { up: true })), "2000000010000500010000000000000000000000070000000100000001000000");
  });

  test("bytes of an address", () => {
    const message = addAddress({ index: 2, address: "172.17.0.2", prefixLength: 16, broadcast: "172.17.255.255" });
    assert.equal(
      hex(message),
      "30000000140005060100000000000000" + "0210000002000000" + "08000100ac110002" + "08000200ac110002" + "08000400ac11ffff",
    );
  });

  test("bytes of a default route", () => {
    const message = addRoute({ family: 4, gateway: "172.17.0.1", index: 2 });
    assert.equal(hex(message), "2c000000180005060100000000000000" + "02000000fe03000100000000" + "08000500ac110001" + "0800040002000000");
  });

  test("bytes of a bridge", () => {
    const message = addBridge({ name: "berth0", index: 0, mac: "02:42:ac:11:00:01", mtu: 1500 });
    assert.equal(
      hex(message),
      `5000000010000506${"0100000000000000"}${"00".repeat(16)}0b000300${Buffer.from("berth0\0\0").toString("hex")}08000400dc0500000a0001000242ac1100010000` +
        `10001280` +
        `0b000100${Buffer.from("bridge\0\0").toString("hex")}`,
    );
  });

  test("a veth pair's descriptor is patched where the kernel looks for it", () => {
    const { message, netnsFdAt } = addVethPair({
      host: { name: "veth0", index: 5000, master: 3 },
      peer: { name: "eth0", index: 100, mac: "02:42:ac:11:00:02" },
      mtu: 1500,
    });
    assert.equal(netnsFdAt.length, 1);
    new DataView(message.buffer, message.byteOffset).setUint32(netnsFdAt[0] ?? 0, 77, true);
    const info = parseAttributes(parseMessages(message)[0]?.payload ?? new Uint8Array(), 16).get(18) ?? new Uint8Array();
    const peer = parseAttributes(parseAttributes(info).get(2) ?? new Uint8Array()).get(1) ?? new Uint8Array();
    const attributes = parseAttributes(peer, 16);
    assert.equal(readText(attributes.get(3)), "eth0");
    assert.deepEqual([...(attributes.get(28) ?? [])], [77, 0, 0, 0]);
  });
});
