import { invalidParameter } from "../../base/base.ts";
import type { TrustBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";
import { authOf } from "./registries.ts";

/** Berth's own: signatures of images in registries. */
async function verify(trust: TrustBackend, call: Call): Promise<void> {
  const keys = (await call.body())?.["Keys"];
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => typeof key === "string"))
    throw invalidParameter("Keys must list public keys as PEM");
  call.json(200, await trust.verify(call.param("name"), keys, { ...authOf(call), signal: call.signal }));
}

async function sign(trust: TrustBackend, call: Call): Promise<void> {
  const { Payload, Signature } = (await call.body()) ?? {};
  if (typeof Payload !== "string" || typeof Signature !== "string") throw invalidParameter("Payload and Signature must be base64");
  const signed = { payload: Buffer.from(Payload, "base64"), signature: Signature };
  call.json(201, await trust.sign(call.param("name"), signed, { ...authOf(call), signal: call.signal }));
}

export function trustRoutes(trust: TrustBackend): Route[] {
  return [
    { method: "POST", pattern: "/berth/trust/{name}/verify", handler: (call) => verify(trust, call) },
    { method: "POST", pattern: "/berth/trust/{name}/signatures", handler: (call) => sign(trust, call) },
    {
      method: "GET",
      pattern: "/berth/trust/{name}",
      handler: async (call) => call.json(200, await trust.inspect(call.param("name"), { ...authOf(call), signal: call.signal })),
    },
  ];
}
