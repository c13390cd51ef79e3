import type { Duplex } from "node:stream";
import { invalidParameter, log, messageOf } from "../../base/base.ts";
import type { ContainerBackend, StreamSession } from "../backend.ts";
import type { Call } from "../call.ts";
import { streamType } from "../content-types.ts";
import { createRequest } from "../create-request.ts";
import { closeGracefully } from "../hijack.ts";
import type { Route } from "../router.ts";
import { shapeContainer, shapeContainerSummary } from "../shape.ts";
import { sendLines } from "../stream.ts";
import { updateRequest } from "../update-request.ts";
import { windowSize } from "../window-size.ts";

type Containers = ContainerBackend;

async function create(containers: Containers, call: Call): Promise<void> {
  const { request, warnings } = createRequest(await call.body(), call.minor);
  const options = { ...call.query.option("name", "name"), ...(call.minor >= 41 ? call.query.option("platform", "platform") : {}) };
  const made = await containers.create(request, options);
  call.json(201, { ...made, Warnings: [...made.Warnings, ...warnings] });
}

async function start(containers: Containers, call: Call): Promise<void> {
  const length = call.request.headers["content-length"];
  // "null" and "{}" with a line end are what old clients send for nothing.
  if (Number(length ?? 0) > 7 || call.request.headers["transfer-encoding"] !== undefined) {
    throw invalidParameter("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  }
  call.request.resume();
  await containers.start(call.param("name"), call.query.option("detachKeys", "detachKeys"));
  call.empty(204);
}

function stopOptions(call: Call): { signal?: string; timeoutSeconds?: number } {
  const timeoutSeconds = call.query.integer("t");
  return {
    ...(call.minor >= 42 ? call.query.option("signal", "signal") : {}),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
  };
}

async function wait(containers: Containers, call: Call): Promise<void> {
  const asked = call.minor < 30 ? "" : call.query.text("condition");
  const condition = asked === "" ? "not-running" : asked;
  if (condition !== "not-running" && condition !== "next-exit" && condition !== "removed") {
    throw invalidParameter(`invalid condition: ${JSON.stringify(condition)}`);
  }
  const { result } = await containers.wait(call.param("name"), condition, call.signal);
  // The client starts the container when it sees the head of this answer.
  call.open("application/json");
  await call.write(`${JSON.stringify(await result)}\n`);
  call.end();
}

async function attach(containers: Containers, call: Call): Promise<void> {
  const { query } = call;
  const session = await containers.attach(call.param("name"), {
    stdin: query.flag("stdin"),
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
    ...query.option("detachKeys", "detachKeys"),
  });
  await serve(call, session, call.hijack(call.upgraded ? streamType(call, session.tty) : streamType.raw));
}

async function attachWebSocket(containers: Containers, call: Call): Promise<void> {
  const { query } = call;
  // Before 1.42 all three streams were attached, whatever was asked for.
  const flag = (name: string): boolean => call.minor < 42 || query.flag(name);
  const session = await containers.attach(call.param("name"), {
    stdin: flag("stdin"),
    stdout: flag("stdout"),
    stderr: flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
    ...query.option("detachKeys", "detachKeys"),
  });
  await serve(call, session, await call.webSocket(!session.tty));
}

async function serve(call: Call, session: StreamSession, io: Duplex): Promise<void> {
  try {
    await session.run(io);
  } catch (error) {
    log.error("an attached session failed", { container: call.param("name"), error: messageOf(error) });
  }
  closeGracefully(io);
}

async function logs(containers: Containers, call: Call): Promise<void> {
  const { query } = call;
  const [stdout, stderr] = [query.flag("stdout"), query.flag("stderr")];
  if (!stdout && !stderr) throw invalidParameter("Bad parameters: you must choose at least one stream");
  const tail = /^\d+$/.test(query.text("tail")) ? Number(query.text("tail")) : undefined;
  const since = query.time("since");
  const until = query.text("until") === "0" ? undefined : query.time("until");
  const { tty, stream } = await containers.logs(
    call.param("name"),
    {
      stdout,
      stderr,
      follow: query.flag("follow"),
      timestamps: query.flag("timestamps"),
      details: query.flag("details"),
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
    },
    call.signal,
  );
  call.open(streamType(call, tty));
  for await (const chunk of stream) await call.write(chunk);
  call.end();
}

async function list(containers: Containers, call: Call): Promise<void> {
  const { query } = call;
  const limit = query.integer("limit") ?? 0;
  const found = await containers.list({ all: query.flag("all"), limit, size: query.flag("size"), filters: query.filters() });
  call.json(
    200,
    found.map((container) => shapeContainerSummary(container, call.minor)),
  );
}

async function stats(containers: Containers, call: Call): Promise<void> {
  const { query } = call;
  const stream = query.flag("stream", true);
  const oneShot = call.minor >= 41 && query.flag("one-shot");
  const answers = await containers.stats(call.param("name"), { stream, oneShot }, call.signal);
  if (stream) return sendLines(call, answers);
  for await (const answer of answers) call.json(200, answer);
}

/** What answers with nothing but its status. */
function actions(containers: Containers): Route[] {
  const action = (method: Route["method"], pattern: string, status: number, run: (name: string, call: Call) => Promise<void>): Route => ({
    method,
    pattern,
    handler: async (call) => {
      await run(call.param("name"), call);
      call.empty(status);
    },
  });
  return [
    action("POST", "/containers/{name}/stop", 204, (name, call) => containers.stop(name, stopOptions(call))),
    action("POST", "/containers/{name}/restart", 204, (name, call) => containers.restart(name, stopOptions(call))),
    action("POST", "/containers/{name}/kill", 204, (name, call) => containers.kill(name, call.query.text("signal") || undefined)),
    action("POST", "/containers/{name}/pause", 204, (name) => containers.pause(name)),
    action("POST", "/containers/{name}/unpause", 204, (name) => containers.unpause(name)),
    action("POST", "/containers/{name}/rename", 204, (name, call) => containers.rename(name, call.query.text("name"))),
    action("POST", "/containers/{name}/resize", 200, (name, call) => containers.resize(name, windowSize(call))),
    action("DELETE", "/containers/{name}", 204, (name, { query }) =>
      containers.remove(name, { force: query.flag("force"), volumes: query.flag("v"), link: query.flag("link") }),
    ),
  ];
}

export function containerRoutes(containers: Containers): Route[] {
  return [
    { method: "GET", pattern: "/containers/json", handler: (call) => list(containers, call) },
    { method: "POST", pattern: "/containers/prune", handler: async (call) => call.json(200, await containers.prune(call.query.filters())) },
    { method: "POST", pattern: "/containers/create", handler: (call) => create(containers, call) },
    {
      method: "GET",
      pattern: "/containers/{name}/json",
      handler: async (call) => {
        const container = await containers.inspect(call.param("name"), { size: call.query.flag("size") });
        call.json(200, shapeContainer(container, call.minor));
      },
    },
    {
      method: "GET",
      pattern: "/containers/{name}/top",
      handler: async (call) => call.json(200, await containers.top(call.param("name"), call.query.text("ps_args") || "-ef")),
    },
    { method: "GET", pattern: "/containers/{name}/stats", handler: (call) => stats(containers, call) },
    { method: "GET", pattern: "/containers/{name}/logs", handler: (call) => logs(containers, call) },
    {
      method: "POST",
      pattern: "/containers/{name}/update",
      handler: async (call) => call.json(200, await containers.update(call.param("name"), updateRequest(await call.body(), call.minor))),
    },
    { method: "POST", pattern: "/containers/{name}/start", handler: (call) => start(containers, call) },
    { method: "POST", pattern: "/containers/{name}/wait", handler: (call) => wait(containers, call) },
    { method: "POST", pattern: "/containers/{name}/attach", handler: (call) => attach(containers, call), hijacks: true },
    { method: "GET", pattern: "/containers/{name}/attach/ws", handler: (call) => attachWebSocket(containers, call), hijacks: true },
    ...actions(containers),
  ];
}
