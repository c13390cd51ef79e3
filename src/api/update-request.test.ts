import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { updateRequest } from "./update-request.ts";

describe("the body of update", () => {
  test("fields as Docker's decoder takes them", () => {
    assert.deepEqual(updateRequest({ memory: 5, RestartPolicy: { Name: "always" }, Nonsense: 1, CpusetCpus: null }, 51), {
      Memory: 5,
      RestartPolicy: { Name: "always" },
    });
    assert.deepEqual(updateRequest({ PidsLimit: 5 }, 40), { PidsLimit: 5 });
    assert.deepEqual(updateRequest({ PidsLimit: 5 }, 39), {}, "unknown before API 1.40");
  });

  test("ports, which Docker has not", () => {
    const PortBindings = { "80/tcp": [{ HostIp: "::1", HostPort: "8080" }], "81/tcp": [] };
    assert.deepEqual(updateRequest({ portbindings: PortBindings, PublishAllPorts: false }, 51), { PortBindings, PublishAllPorts: false });
    assert.deepEqual(updateRequest({ PortBindings: null }, 51), {}, "as it was");
    assert.throws(() => updateRequest({ PortBindings: { "80/tcp": [{ HostPort: 8080 }] } }, 51), { code: "InvalidParameter" });
  });

  test("what is none is refused", () => {
    assert.throws(() => updateRequest(undefined, 51), { code: "InvalidParameter", message: /EOF/ });
    assert.throws(() => updateRequest({ Memory: "5" }, 51), { code: "InvalidParameter", message: /UpdateConfig.Memory of type int64/ });
  });
});
