import assert from "node:assert/strict";
import { test } from "node:test";
import { linkVariables, parseLink } from "./links.ts";

test("names and aliases", () => {
  assert.deepEqual(parseLink("db"), { name: "db", alias: "db" });
  assert.deepEqual(parseLink("db:store"), { name: "db", alias: "store" });
  assert.deepEqual(parseLink("/db:/web/store"), { name: "db", alias: "store" });
  assert.throws(() => parseLink("a:b:c"), { code: "InvalidParameter", message: "bad format for links: a:b:c" });
  assert.throws(() => parseLink(""), { message: "empty string specified for links" });
});

test("variables: the lowest port, ranges, each port, name, environment", () => {
  const link = {
    alias: "the-db",
    parentName: "web",
    address: "172.17.0.2",
    exposedPorts: ["5001/tcp", "53/udp", "5000/tcp"],
    env: ["PATH=/bin", "HOME=/root", "FOO=bar=baz", "EMPTY"],
  };
  assert.deepEqual(linkVariables(link), [
    "THE_DB_PORT=udp://172.17.0.2:53",
    "THE_DB_PORT_5000_TCP_START=tcp://172.17.0.2:5000",
    "THE_DB_PORT_5000_TCP_ADDR=172.17.0.2",
    "THE_DB_PORT_5000_TCP_PROTO=tcp",
    "THE_DB_PORT_5000_TCP_PORT_START=5000",
    "THE_DB_PORT_5000_TCP_END=tcp://172.17.0.2:5001",
    "THE_DB_PORT_5000_TCP_PORT_END=5001",
    "THE_DB_PORT_53_UDP=udp://172.17.0.2:53",
    "THE_DB_PORT_53_UDP_ADDR=172.17.0.2",
    "THE_DB_PORT_53_UDP_PORT=53",
    "THE_DB_PORT_53_UDP_PROTO=udp",
    "THE_DB_PORT_5000_TCP=tcp://172.17.0.2:5000",
    "THE_DB_PORT_5000_TCP_ADDR=172.17.0.2",
    "THE_DB_PORT_5000_TCP_PORT=5000",
    "THE_DB_PORT_5000_TCP_PROTO=tcp",
    "THE_DB_PORT_5001_TCP=tcp://172.17.0.2:5001",
    "THE_DB_PORT_5001_TCP_ADDR=172.17.0.2",
    "THE_DB_PORT_5001_TCP_PORT=5001",
    "THE_DB_PORT_5001_TCP_PROTO=tcp",
    "THE_DB_NAME=/web/the-db",
    "THE_DB_ENV_FOO=bar=baz",
  ]);
  assert.deepEqual(linkVariables({ ...link, exposedPorts: [], env: [] }), ["THE_DB_NAME=/web/the-db"]);
});
