import { invalidParameter, nowNanos } from "../../base/base.ts";
import type { SystemBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";
import { sendLines } from "../stream.ts";

function ping(call: Call): void {
  const { response } = call;
  response.setHeader("Builder-Version", "1");
  response.setHeader("Swarm", "inactive");
  response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
  response.setHeader("Pragma", "no-cache");
  const body = Buffer.from(call.request.method === "HEAD" ? "" : "OK");
  call.bytes(200, "text/plain; charset=utf-8", body);
}

async function events(system: SystemBackend, call: Call): Promise<void> {
  const since = call.query.time("since");
  const until = call.query.time("until");
  if (since !== undefined && until !== undefined && since > until) {
    throw invalidParameter(`\`since\` time (${call.query.text("since")}) cannot be after \`until\` time (${call.query.text("until")})`);
  }
  const range = { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) };
  // Until a time that has passed means: only what is stored.
  const stored = until !== undefined && until < nowNanos() && since === undefined ? { since: 0n } : {};
  await sendLines(call, system.events({ ...stored, ...range, filters: call.query.filters() }, call.signal));
}

/** What is about the daemon as a whole. */
export function systemRoutes(system: SystemBackend): Route[] {
  return [
    { method: "GET", pattern: "/_ping", handler: ping },
    { method: "HEAD", pattern: "/_ping", handler: ping },
    { method: "GET", pattern: "/version", handler: async (call) => call.json(200, await system.version()) },
    { method: "GET", pattern: "/info", handler: async (call) => call.json(200, await system.info()) },
    { method: "GET", pattern: "/events", handler: (call) => events(system, call) },
    {
      method: "POST",
      pattern: "/berth/shutdown",
      handler: async (call) => {
        await system.shutdown({ stop: call.query.flag("stop") });
        call.empty(200);
      },
    },
  ];
}
