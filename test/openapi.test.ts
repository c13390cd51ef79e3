import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiDescription, descriptionPath } from "./openapi.ts";

const description = await ApiDescription.load();
const skip = description === undefined ? `there is no ${descriptionPath}` : false;

describe("the API description", { skip }, () => {
  const check = (method: string, path: string, status: number, body?: unknown): string[] => {
    assert.ok(description);
    return description.check(method, path, status, body);
  };

  test("takes what dockerd answers", () => {
    assert.deepEqual(check("GET", "/v1.41/containers/json?all=1", 200, []), []);
    assert.deepEqual(check("GET", "/containers/json", 200, null), []);
    assert.deepEqual(
      check("GET", "/containers/json", 200, [{ Id: "a".repeat(64), Names: ["/a"], Ports: null, Labels: {}, Created: 5 }]),
      [],
    );
    assert.deepEqual(check("POST", "/containers/create", 201, { Id: "a", Warnings: [] }), []);
    assert.deepEqual(check("POST", "/containers/x/start", 204), []);
    assert.deepEqual(check("GET", "/containers/x/json", 404, { message: "No such container: x" }), []);
    assert.deepEqual(check("GET", "/images/a/b:c/json", 404, { message: "No such image: a/b:c" }), []);
    const attributes = { ID: "c", Attributes: { name: "web" } };
    const event = {
      status: "die",
      id: "c",
      from: "i",
      Type: "container",
      Action: "die",
      Actor: attributes,
      scope: "local",
      time: 1,
      timeNano: 1,
    };
    assert.deepEqual(check("GET", "/events", 200, event), []);
  });

  test("refuses what it does not", () => {
    for (const [path, body] of [
      ["/containers/json", {}],
      ["/containers/json", [{ Id: 5 }]],
      ["/containers/json", [{ Created: "today" }]],
      ["/containers/json", [{ Id: "a".repeat(64), Nonsense: 1 }]],
      ["/containers/json", [{ Ports: [{ PrivatePort: 80, Type: "icmp" }] }]],
      ["/containers/x/json", { State: { Status: "sleeping" } }],
      ["/containers/x/json", { Created: "yesterday" }],
      ["/containers/x/json", { HostConfig: { Memory: 5, Nonsense: 1 } }],
      ["/containers/x/json", { HostConfig: { RestartPolicy: { Name: "sometimes" } } }],
      ["/version", { Version: null }],
    ] as const) {
      assert.notDeepEqual(check("GET", path, 200, body), [], `${path} ${JSON.stringify(body)}`);
    }
    assert.deepEqual(check("GET", "/v1.43/containers/json", 200, [{ Id: "a".repeat(64), Nonsense: 1 }]), [], "a field of then");
    assert.notDeepEqual(check("GET", "/v1.43/containers/json", 200, [{ Id: 5 }]), []);
    assert.deepEqual(check("GET", "/containers/x/json", 418, {}), ["GET /containers/x/json does not answer 418"]);
    assert.deepEqual(check("PATCH", "/containers/x/json", 200, {}), ["PATCH /containers/x/json is not described"]);
    assert.notDeepEqual(check("GET", "/containers/x/json", 404, { error: "x" }), []);
  });
});
