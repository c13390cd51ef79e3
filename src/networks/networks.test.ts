import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostsText, resolverText } from "./name-files.ts";

describe("resolv.conf", () => {
  const none = { dns: [], dnsOptions: [], dnsSearch: [] };

  test("the host's, without what a container cannot reach", () => {
    const host =
      "# made by hand\nnameserver 127.0.0.1\nnameserver 10.0.0.1 # one\nnameserver ::1\nnameserver 2001:db8::1\ndomain old\nsearch a.test b.test\noptions ndots:2 rotate\n";
    assert.equal(resolverText(host, none, true), "nameserver 10.0.0.1\nsearch a.test b.test\noptions ndots:2 rotate\n");
    assert.equal(resolverText(host, none, false), host);
  });

  test("public resolvers when none is left", () => {
    assert.equal(resolverText("nameserver 127.0.0.53\nsearch .\n", none, true), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    assert.equal(resolverText("", none, true), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  });

  test("what the user gives replaces the host's", () => {
    const host = "nameserver 10.0.0.1\nsearch a.test\noptions ndots:2\n";
    const given = { dns: ["192.0.2.1", "2001:db8::1"], dnsOptions: ["timeout:3"], dnsSearch: ["."] };
    assert.equal(resolverText(host, given, true), "nameserver 192.0.2.1\nnameserver 2001:db8::1\noptions timeout:3\n");
    assert.equal(resolverText(host, { ...none, dnsSearch: ["x.test"] }, false), "nameserver 10.0.0.1\nsearch x.test\noptions ndots:2\n");
    assert.throws(() => resolverText(host, { ...none, dns: ["resolver"] }, true), { code: "InvalidParameter" });
  });
});

describe("hosts", () => {
  test("own name, with and without a domain, and added ones", () => {
    const text = hostsText({
      extraHosts: ["a.test:192.0.2.9", "six:[2001:db8::1]", "up:host-gateway"],
      gateway: "172.17.0.1",
      address: "172.17.0.2",
      hostname: "h.example.test",
    });
    assert.match(text, /^127\.0\.0\.1\tlocalhost\n/);
    assert.match(text, /\n192\.0\.2\.9\ta\.test\n2001:db8::1\tsix\n172\.17\.0\.1\tup\n172\.17\.0\.2\th\.example\.test h\n$/);
    assert.match(hostsText({ extraHosts: [], address: "172.17.0.2", hostname: "h" }), /\n172\.17\.0\.2\th\n$/);
    for (const wrong of ["a", "a:", ":1.2.3.4", "a:b"])
      assert.throws(() => hostsText({ extraHosts: [wrong], hostname: "h" }), { code: "InvalidParameter" });
    assert.throws(() => hostsText({ extraHosts: ["a:host-gateway"], hostname: "h" }), { code: "InvalidParameter" });
  });
});
