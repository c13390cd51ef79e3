import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRequest } from "./create-request.ts";
import { TestServer } from "./scripted-backends.ts";

describe("requests about networks", () => {
  test("reach the backend whole", async () => {
    const made = { Id: "1", Warning: "" };
    await using server = await TestServer.start({
      networks: {
        create: async () => made,
        connect: async () => undefined,
        disconnect: async () => undefined,
        remove: async () => undefined,
        prune: async () => ({ NetworksDeleted: [] }),
        list: async () => [],
        inspect: async () => ({}),
      },
    });
    const { calls } = server;
    const asked = {
      Name: "a",
      Driver: "bridge",
      IPAM: { Driver: "default", Config: [{ Subnet: "10.0.0.0/8", AuxiliaryAddresses: { x: "10.0.0.9" } }], Options: { o: "1" } },
      EnableIPv4: false,
      EnableIPv6: true,
      Internal: true,
      Options: { "com.docker.network.driver.mtu": "1400" },
      Labels: { l: "1" },
      ConfigFrom: { Network: "b" },
    };
    const created = await server.request("POST", "/networks/create", JSON.stringify({ ...asked, CheckDuplicate: false, Nonsense: 1 }));
    assert.deepEqual([created.status, JSON.parse(created.body)], [201, made]);
    const { EnableIPv4: _, ...older } = asked;
    await server.request("POST", "/v1.47/networks/create", JSON.stringify(asked));
    const settings = { Aliases: ["x"], IPAMConfig: { IPv4Address: "10.0.0.3" }, MacAddress: "02:00:00:00:00:01", DriverOpts: { a: "b" } };
    const connect = { Container: "c", EndpointConfig: { ...settings, GwPriority: 5 } };
    assert.equal((await server.request("POST", "/networks/a/connect", JSON.stringify(connect))).status, 200);
    await server.request("POST", "/v1.47/networks/a/connect", JSON.stringify(connect));
    await server.request("POST", "/networks/a/connect", '{"Container":"c","EndpointConfig":null}');
    assert.equal((await server.request("POST", "/networks/a/disconnect", '{"Container":"c","Force":true}')).status, 200);
    await server.request("POST", "/networks/a/disconnect", '{"container":"c"}');
    assert.equal((await server.request("DELETE", "/networks/a")).status, 204);
    await server.request("GET", "/v1.27/networks");
    await server.request("GET", "/v1.28/networks");
    await server.request("GET", "/networks/a?scope=local&verbose=true");
    assert.deepEqual(calls, [
      ["networks.create", asked],
      ["networks.create", older],
      ["networks.connect", "a", "c", { ...settings, GwPriority: 5 }],
      ["networks.connect", "a", "c", settings],
      ["networks.connect", "a", "c", {}],
      ["networks.disconnect", "a", "c", { force: true }],
      ["networks.disconnect", "a", "c", { force: false }],
      ["networks.remove", "a"],
      ["networks.list", new Map(), { containers: true }],
      ["networks.list", new Map(), { containers: false }],
      ["networks.inspect", "a", { scope: "local" }],
    ]);
  });

  test("that are wrong are refused, and say where", async () => {
    await using server = await TestServer.start();
    for (const [method, path, body, complaint] of [
      ["POST", "/networks/create", undefined, "invalid JSON: got EOF while reading request body"],
      ["POST", "/networks/create", { Name: 1 }, "number into Go struct field CreateRequest.Name of type string"],
      ["POST", "/networks/create", { IPAM: { Config: {} } }, "object into Go struct field CreateRequest.IPAM.Config of type []struct"],
      ["POST", "/networks/create", { Options: { a: 1 } }, "number into Go struct field CreateRequest.Options of type string"],
      ["POST", "/networks/a/connect", undefined, "invalid JSON: got EOF while reading request body"],
      ["POST", "/networks/a/connect", { Container: ["c"] }, "array into Go struct field ConnectOptions.Container of type string"],
      [
        "POST",
        "/networks/a/connect",
        { EndpointConfig: { Aliases: "a" } },
        "string into Go struct field ConnectOptions.EndpointConfig.Aliases of type []string",
      ],
      ["POST", "/networks/a/disconnect", { Force: "yes" }, "string into Go struct field DisconnectOptions.Force of type bool"],
      ["GET", "/networks/a?verbose=x", undefined, 'invalid value for verbose: x: strconv.ParseBool: parsing "x": invalid syntax'],
    ] as const) {
      const answer = await server.request(method, path, body === undefined ? undefined : JSON.stringify(body));
      assert.equal(answer.status, 400, path);
      const { message } = JSON.parse(answer.body) as { message: string };
      assert.ok(message.endsWith(complaint), `${message}\nis not ${complaint}`);
    }
    assert.deepEqual(server.calls, []);
  });
});

describe("the endpoints of a container that is created", () => {
  const mac = "02:42:ac:11:00:09";
  const made = (body: object, minor: number): ReturnType<typeof createRequest> => createRequest(body as Record<string, unknown>, minor);
  const endpoints = (body: object, minor: number): unknown => made(body, minor).request.NetworkingConfig?.EndpointsConfig;
  const on = (config: object, mode?: string): object => ({
    NetworkingConfig: { EndpointsConfig: config },
    ...(mode === undefined ? {} : { HostConfig: { NetworkMode: mode } }),
  });

  test("are several since 1.44", () => {
    assert.deepEqual(endpoints(on({ a: {}, b: { Aliases: ["x"] } }), 44), { a: {}, b: { Aliases: ["x"] } });
    assert.throws(() => endpoints(on({ a: {}, b: {} }), 43), {
      code: "InvalidParameter",
      message: "Container cannot be created with multiple network endpoints: a, b",
    });
    assert.deepEqual(endpoints(on({ default: { Aliases: ["x"] } }), 51), { bridge: { Aliases: ["x"] } });
    assert.deepEqual(endpoints(on({ a: { GwPriority: 3 } }), 47), { a: {} });
    assert.deepEqual(endpoints(on({ a: { GwPriority: 3 } }), 48), { a: { GwPriority: 3 } });
    assert.equal(endpoints({}, 51), undefined);
  });

  test("have the container's MAC address", () => {
    assert.deepEqual(endpoints({ MacAddress: mac }, 43), { bridge: { MacAddress: mac } });
    assert.deepEqual(endpoints({ MacAddress: mac, ...on({ a: { Aliases: ["x"] } }) }, 43), { a: { Aliases: ["x"], MacAddress: mac } });
    assert.deepEqual(endpoints(on({ a: { MacAddress: mac } }), 43), { a: {} }, "older clients cannot have meant it");
    assert.throws(() => made({ MacAddress: mac, HostConfig: { NetworkMode: "host" } }, 43), /mac-address and the network mode/);
    assert.deepEqual(made({ MacAddress: mac }, 43).warnings, []);
    const newer = made({ MacAddress: mac, ...on({ a: {}, b: {} }, "a") }, 44);
    assert.deepEqual(newer.request.NetworkingConfig?.EndpointsConfig, { a: { MacAddress: mac }, b: {} });
    assert.equal(newer.request.MacAddress, undefined);
    assert.match(newer.warnings.join(""), /^The container-wide MacAddress field is now deprecated/);
    assert.equal(endpoints({ MacAddress: mac, HostConfig: { NetworkMode: "none" } }, 44), undefined);
    assert.throws(() => made({ MacAddress: mac, ...on({ b: {} }, "a") }, 44), /must match the identity of a network/);
    assert.throws(() => made({ MacAddress: mac, ...on({ constructor: {} }, "toString") }, 44), /must match the identity of a network/);
    assert.throws(
      () => made({ MacAddress: mac, ...on({ a: { MacAddress: "02:42:ac:11:00:10" } }, "a") }, 44),
      /must match the endpoint-specific/,
    );
  });
});
