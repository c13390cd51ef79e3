import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { isEngineError } from "../base/base.ts";
import type { NetworkSettings } from "../spec/spec.ts";
import { explainPort } from "./explain-port.ts";

const settings = {
  Ports: {
    "80/tcp": [
      { HostIp: "0.0.0.0", HostPort: "8080" },
      { HostIp: "::", HostPort: "8080" },
    ],
    "53/udp": [{ HostIp: "0.0.0.0", HostPort: "8080" }],
  },
  Networks: {
    apart: { EndpointID: "e1", IPAddress: "10.0.0.2", Gateway: "" },
    bridge: { EndpointID: "e2", IPAddress: "172.17.0.2", Gateway: "172.17.0.1" },
  },
} as unknown as NetworkSettings;

test("a port that another program has, in Docker's words", () => {
  const said = (message: string, errno = constants.errno.EADDRINUSE): string => {
    const error = explainPort(new Error("launch failed", { cause: { stage: "bind-port", errno, message } }), "web", settings);
    assert.ok(isEngineError(error, "System"));
    return error.message;
  };
  const start = "failed to set up container networking: driver failed programming external connectivity on endpoint web (e2): ";
  assert.equal(said("0.0.0.0:8080/tcp"), `${start}failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use`);
  assert.equal(said("[::]:8080/tcp"), `${start}failed to bind host port for [::]:8080:172.17.0.2:80/tcp: address already in use`);
  assert.equal(said("0.0.0.0:8080/udp"), `${start}failed to bind host port for 0.0.0.0:8080:172.17.0.2:53/udp: address already in use`);
  assert.equal(
    said("192.0.2.1:8080", constants.errno.EADDRNOTAVAIL),
    `${start}failed to bind host port for 192.0.2.1:8080: cannot assign requested address`,
  );
  const other = new Error("launch failed", { cause: { stage: "overlay", errno: 1, message: "" } });
  assert.equal(explainPort(other, "web", settings), other);
});
