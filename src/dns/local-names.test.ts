import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type DnsClient, openResolver, parseLinks, Zone } from "./dns.ts";
import { type Asked, ask, readReply, type typeOf } from "./sample-message.ts";

const resolver = openResolver({ hostServers: async () => assert.fail("the host's resolvers are nobody's business here") });

function client(scopes: DnsClient["scopes"], ndotsSet = false): DnsClient {
  return { id: "c", scopes, upstreams: [], ndotsSet };
}

function asks(of: DnsClient, name: string, type: keyof typeof typeOf = "A", more: Omit<Asked, "name" | "type"> = {}, overTcp = false) {
  const answer = resolver.answer(of, ask({ name, type, ...more }), overTcp);
  assert.ok(answer instanceof Uint8Array, "known names are answered without a promise");
  return readReply(answer);
}

const front = new Zone("front");
front.set("1", { names: ["web", "www", "0123456789ab"], address: "172.18.0.2" });
front.set("2", { names: ["db", "www"], address: "172.18.0.3", address6: "fd00:1::3" });
const back = new Zone("back.end");
back.set("2", { names: ["db", "cache"], address: "172.19.0.3" });
back.set("3", { names: ["a.b", "www"], address: "172.19.0.4", address6: "FD00:2:0::4" });
const both = client([{ zone: front }, { zone: back, links: parseLinks(["a.b:Linked", "cache"]) }]);

describe("names of a container's networks", () => {
  test("A and AAAA, by name, alias and id, whatever the case; the question is repeated as it was", () => {
    const reply = asks(both, "WeB");
    assert.deepEqual(reply.answers, [{ name: "WeB", type: 1, ttl: 600, data: "172.18.0.2" }]);
    assert.deepEqual([reply.code, reply.question, reply.recursionAvailable], [0, "WeB", true]);
    assert.deepEqual(asks(both, "0123456789AB").data, ["172.18.0.2"]);
    assert.deepEqual(asks(both, "db", "AAAA").data, ["fd00:1::3"]);
    assert.deepEqual(asks(both, "db", "ANY").data, ["172.18.0.3", "fd00:1::3"]);
  });

  test("the first network that has the name answers; another one that has the address where the first has none", () => {
    assert.deepEqual(asks(both, "db").data, ["172.18.0.3"]);
    assert.deepEqual(asks(client([...both.scopes].reverse()), "db").data, ["172.19.0.3"]);
    assert.deepEqual(asks(client([...both.scopes].reverse()), "db", "AAAA").data, ["fd00:1::3"]);
  });

  test("behind a dot the network's name, which may have dots as the container's may", () => {
    assert.deepEqual(asks(both, "db.back.end").data, ["172.19.0.3"]);
    assert.deepEqual(asks(both, "a.b").data, ["172.19.0.4"]);
    assert.deepEqual(asks(both, "a.b.BACK.end").data, ["172.19.0.4"]);
    assert.equal(asks(both, "web.back.end").code, 2);
  });

  test("links are names that one container has", () => {
    assert.deepEqual(asks(both, "linked").data, ["172.19.0.4"]);
    assert.deepEqual(asks(both, "linked.back.end").data, ["172.19.0.4"]);
    assert.equal(asks(client([{ zone: front }, { zone: back }]), "linked").code, 2);
  });

  test("nothing but addresses: other types are empty answers, not questions to others", () => {
    for (const type of ["AAAA", "MX", "TXT", "PTR"] as const) {
      const reply = asks(both, "web", type);
      assert.deepEqual([reply.code, reply.data], [0, []]);
    }
  });

  test("PTR, with the network's name", () => {
    assert.deepEqual(asks(both, "2.0.18.172.in-addr.arpa", "PTR").data, ["web.front"]);
    assert.deepEqual(asks(both, "4.0.19.172.IN-ADDR.ARPA", "PTR").data, ["a.b.back.end"]);
    const nibbles = "fd000002000000000000000000000004".split("").reverse().join(".");
    assert.deepEqual(asks(both, `${nibbles}.ip6.arpa`, "PTR").data, ["a.b.back.end"]);
    assert.equal(asks(both, "9.0.18.172.in-addr.arpa", "PTR").code, 2);
    assert.equal(asks(both, "0.18.172.in-addr.arpa", "PTR").code, 2);
  });

  test("without upstreams others are SERVFAIL; single labels empty where the user has set ndots", () => {
    assert.equal(asks(both, "example.test").code, 2);
    assert.equal(asks(both, "nobody").code, 2);
    const reply = asks(client(both.scopes, true), "nobody");
    assert.deepEqual([reply.code, reply.data], [0, []]);
    assert.equal(asks(client(both.scopes, true), "example.test").code, 2);
  });

  test("each answer begins with another address", () => {
    const zone = new Zone("n");
    const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    for (const address of addresses) zone.set(address, { names: ["all"], address });
    const of = client([{ zone }]);
    const replies = addresses.map(() => asks(of, "all").data);
    assert.deepEqual(replies.map(([first]) => first).sort(), addresses);
    for (const reply of replies) assert.deepEqual([...reply].sort(), addresses);
  });

  test("200 addresses: over UDP what fits, and that there are more; over TCP all", () => {
    const zone = new Zone("n");
    for (let index = 0; index < 200; index++)
      zone.set(`${index}`, { names: ["all"], address: `10.0.0.${index}`, address6: `fd00::${index}` });
    const of = client([{ zone }]);
    const small = asks(of, "all");
    assert.ok(small.truncated && small.length <= 512 && small.data.length === 30, JSON.stringify(small));
    const middle = asks(of, "all", "AAAA", { udpLimit: 1232 });
    assert.ok(middle.truncated && middle.length <= 1232 && middle.data.length === 42 && middle.edns !== undefined);
    const large = asks(of, "all", "A", { udpLimit: 4096 });
    assert.deepEqual([large.truncated, large.data.length], [false, 200]);
    const tcp = asks(of, "all", "ANY", {}, true);
    assert.deepEqual([tcp.truncated, new Set(tcp.data).size], [false, 400]);
  });

  test("hosts come, change and go", () => {
    const zone = new Zone("n");
    const of = client([{ zone }]);
    zone.set("1", { names: ["a", "x"], address: "10.0.0.1" });
    assert.deepEqual(asks(of, "x").data, ["10.0.0.1"]);
    zone.set("2", { names: ["b", "x"], address: "10.0.0.2" });
    assert.equal(asks(of, "x").data.length, 2);
    zone.set("1", { names: ["c"], address: "10.0.0.1" });
    assert.deepEqual([asks(of, "x").data, asks(of, "c").data, asks(of, "a").code], [["10.0.0.2"], ["10.0.0.1"], 2]);
    assert.deepEqual(asks(of, "1.0.0.10.in-addr.arpa", "PTR").data, ["c.n"]);
    zone.set("3", { names: ["d"], address: "10.0.0.1" });
    zone.delete("1");
    assert.deepEqual(asks(of, "1.0.0.10.in-addr.arpa", "PTR").data, ["d.n"]);
    for (const key of ["2", "3", "3"]) zone.delete(key);
    assert.deepEqual([zone.size, asks(of, "x").code, asks(of, "2.0.0.10.in-addr.arpa", "PTR").code], [0, 2, 2]);
  });

  test("any order of coming and going leaves what is there", () => {
    const name = fc.constantFrom("a", "b", "C", "d");
    const step = fc.record({ key: fc.integer({ min: 1, max: 5 }), names: fc.option(fc.array(name, { minLength: 1, maxLength: 3 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const zone = new Zone("n");
        const model = new Map<number, readonly string[]>();
        for (const { key, names } of steps) {
          if (names === null) {
            zone.delete(`${key}`);
            model.delete(key);
          } else {
            zone.set(`${key}`, { names, address: `10.0.0.${key}` });
            model.set(key, names);
          }
          for (const asked of ["a", "b", "c", "d"]) {
            const expected = [...model].filter(([, own]) => own.some((text) => text.toLowerCase() === asked)).map(([at]) => `10.0.0.${at}`);
            assert.deepEqual(asks(client([{ zone }]), asked).data.sort(), expected.sort());
          }
        }
      }),
    );
  });
});
