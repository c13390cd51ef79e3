import { invalidParameter, log, messageOf } from "../../base/base.ts";
import type { ExecConfig } from "../../spec/spec.ts";
import type { ExecBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import { streamType } from "../content-types.ts";
import { closeGracefully } from "../hijack.ts";
import { fitFields } from "../request-shape.ts";
import { execShape, execStartShape } from "../request-shapes-table.ts";
import type { Route } from "../router.ts";
import { windowSize } from "../window-size.ts";

async function create(exec: ExecBackend, call: Call): Promise<void> {
  const config = fitFields((await call.body()) ?? {}, execShape, "ExecOptions") as ExecConfig;
  if ((config.Cmd ?? []).length === 0) throw invalidParameter("No exec command specified");
  const { ConsoleSize: _, ...older } = config;
  call.json(201, await exec.create(call.param("name"), call.minor < 42 ? older : config));
}

async function start(exec: ExecBackend, call: Call): Promise<void> {
  const body = fitFields((await call.body()) ?? {}, execStartShape, "ExecStartOptions");
  const tty = body["Tty"] === true;
  const detach = body["Detach"] === true;
  const size = body["ConsoleSize"];
  const [rows, columns] = call.minor >= 42 && tty && Array.isArray(size) ? size : [];
  const known = typeof rows === "number" && typeof columns === "number" && rows > 0 && columns > 0;
  const session = await exec.start(call.param("id"), { tty, detach, ...(known ? { rows, columns } : {}) });
  if (detach) {
    await session.run(undefined);
    return call.empty(200);
  }
  const io = call.hijack(call.upgraded ? streamType(call, tty) : streamType.raw);
  try {
    await session.run(io);
  } catch (error) {
    log.error("an exec session failed", { exec: call.param("id"), error: messageOf(error) });
  }
  closeGracefully(io);
}

export function execRoutes(exec: ExecBackend): Route[] {
  return [
    { method: "POST", pattern: "/containers/{name}/exec", handler: (call) => create(exec, call) },
    { method: "POST", pattern: "/exec/{id}/start", handler: (call) => start(exec, call), hijacks: true },
    {
      method: "POST",
      pattern: "/exec/{id}/resize",
      handler: async (call) => {
        await exec.resize(call.param("id"), windowSize(call));
        call.empty(200);
      },
    },
    { method: "GET", pattern: "/exec/{id}/json", handler: async (call) => call.json(200, await exec.inspect(call.param("id"))) },
  ];
}
