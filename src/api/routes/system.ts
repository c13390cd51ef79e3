import { invalidParameter } from "../../base/base.ts";
import type { SystemBackend, UsagePart } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";
import { shapeInfo, shapeUsage } from "../shape.ts";
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
  // Whoever names an end sees the stored ones too.
  const stored = until !== undefined && since === undefined ? { since: 0n } : {};
  await sendLines(call, system.events({ ...stored, ...range, filters: call.query.filters() }, call.signal));
}

async function pruneBuildCache(system: SystemBackend, call: Call): Promise<void> {
  call.query.filters();
  for (const name of ["keep-storage", "reserved-space", "max-used-space", "min-free-space"]) {
    const value = call.query.text(name);
    if (!/^([+-]?\d{1,18})?$/.test(value)) throw invalidParameter(`${name} is in bytes and expects an integer, got ${value}`);
  }
  call.json(200, await system.pruneBuildCache());
}

const usageParts: readonly UsagePart[] = ["container", "image", "volume", "build-cache"];

async function usage(system: SystemBackend, call: Call): Promise<void> {
  const asked = call.minor < 42 ? [] : call.query.all("type");
  const isPart = (text: string): text is UsagePart => (usageParts as readonly string[]).includes(text);
  for (const type of asked) if (!isPart(type)) throw invalidParameter(`unknown object type: ${type}`);
  call.json(200, shapeUsage(await system.diskUsage(new Set(asked.length === 0 ? usageParts : asked.filter(isPart))), call.minor));
}

/** What is about the daemon as a whole. */
export function systemRoutes(system: SystemBackend): Route[] {
  return [
    { method: "GET", pattern: "/_ping", handler: ping },
    { method: "HEAD", pattern: "/_ping", handler: ping },
    { method: "GET", pattern: "/version", handler: async (call) => call.json(200, await system.version()) },
    { method: "GET", pattern: "/info", handler: async (call) => call.json(200, shapeInfo(await system.info(), call.minor)) },
    { method: "GET", pattern: "/system/df", handler: (call) => usage(system, call) },
    { method: "POST", pattern: "/build/prune", handler: (call) => pruneBuildCache(system, call) },
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
