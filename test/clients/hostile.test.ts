/**
 * Requests that no client sends by mistake alone: every field and parameter of Docker's description of the API with values
 * of the wrong type, too large, too long or meant to do harm. Each is answered, none by a bug, and the daemon stays small.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { ask } from "../ask.ts";
import { Daemon, importBusybox } from "../daemon.ts";
import { descriptionPath } from "../openapi.ts";

type Json = { readonly [key: string]: unknown };

interface Answered {
  readonly status: number;
  readonly text: string;
}

const mebibyte = 2 ** 20;
const patienceMs = 5000;
const inParallel = 4;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** Undefined when the description is not on this machine. */
function readDescription(): { definitions: Json; paths: Readonly<Record<string, Record<string, Json>>> } | undefined {
  try {
    return parse(readFileSync(descriptionPath, "utf8")) as never;
  } catch {
    return undefined;
  }
}

const description = readDescription();

/** The schema behind references, its parts put together. */
function resolved(schema: Json): Json {
  const reference = schema["$ref"];
  if (typeof reference === "string") return resolved((description?.definitions[reference.replace("#/definitions/", "")] ?? {}) as Json);
  const parts = schema["allOf"];
  if (!Array.isArray(parts)) return schema;
  const properties = parts.map((part: Json) => resolved(part)["properties"] as Json | undefined);
  return { ...schema, type: "object", properties: Object.assign({}, ...properties, schema["properties"]) };
}

/** Puts a value where a field is: a function for every place below a schema. */
type Place = (value: unknown) => unknown;

function* placesIn(schema: Json, put: Place = (value) => value, depth = 0): Generator<Place> {
  if (depth > 0) yield put;
  if (depth > 6) return;
  const { properties, additionalProperties, items } = resolved(schema);
  if (isObject(properties)) {
    for (const [name, property] of Object.entries(properties)) {
      yield* placesIn(property as Json, (value) => put({ [name]: value }), depth + 1);
    }
  }
  if (isObject(additionalProperties)) yield* placesIn(additionalProperties, (value) => put({ "80/tcp": value }), depth + 1);
  if (isObject(items)) yield* placesIn(items, (value) => put([value]), depth + 1);
}

const values: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e300,
  2 ** 53,
  "",
  "NaN",
  "../../../../etc/passwd",
  "/a\0b",
  "\u0007\n\r\u001b[31m\ud800",
  "default",
  "constructor",
  "x".repeat(70_000),
  [],
  [null],
  [[[[]]]],
  ["", -1],
  {},
  { a: { b: { c: [] } } },
  JSON.parse('{"__proto__":{"toString":null},"constructor":1}'),
];

/** Endpoints that take a body: as described, as asked for, and what a value is put into. */
const bodies: readonly (readonly [template: string, path: string, whole: Json])[] = [
  ["/containers/create", "/containers/create", { Image: "busybox", Cmd: ["true"] }],
  ["/containers/{id}/update", "/containers/target/update", {}],
  ["/containers/{id}/exec", "/containers/target/exec", { Cmd: ["true"] }],
  ["/exec/{id}/start", "/exec/none/start", {}],
  ["/volumes/create", "/volumes/create", {}],
  ["/commit", "/commit?container=target&pause=0", {}],
  ["/networks/create", "/networks/create", {}],
  ["/networks/{id}/connect", "/networks/bridge/connect", {}],
];

function bodySchema(template: string): Json {
  const parameters = (description?.paths[template]?.["post"]?.["parameters"] ?? []) as readonly Json[];
  return (parameters.find((parameter) => parameter["in"] === "body")?.["schema"] ?? {}) as Json;
}

/** Texts for every parameter, as they stand in a URL. */
const parameters: readonly string[] = [
  "",
  "NaN",
  "-1",
  "1e309",
  "99999999999999999999",
  "4294967296",
  "a%00b",
  "%ff%fe%C0%80",
  "..%2F..%2F..%2Fetc",
  "%07%0A%1b%5B31m",
  "%5B%5B%5B%5B",
  encodeURIComponent('{"label":{"a":1}}'),
  encodeURIComponent('{"__proto__":{"a":true},"until":["never"]}'),
  encodeURIComponent('{"label":["a=b"],"until":["99999999999999999999"]}'),
  encodeURIComponent('{"constructor":["a"],"toString":["a"]}'),
  "constructor",
  "-o%20constructor%20--sort%20__proto__",
  "SIGNOTHING",
  "x".repeat(100_000),
];

/** What says 500 though the request is at fault: Docker does so too, and says why. */
const admitted: readonly RegExp[] = [
  // A registry that cannot be reached: there is no way out of here.
  /dial tcp: lookup [^ ]*: /,
  // What the kernel refuses, and runc: dockerd cannot know before.
  /Cannot update container \w{64}: failed to write /,
  /runc create failed: sysctl .* is not in a separate kernel namespace/,
  /unable to start container process: (unable to apply cgroup configuration: failed to write|oom-score-adj|chdir to cwd)/,
  /"mkdir \/sys\/fs\/cgroup\/.*: (invalid argument|name too long)"/,
  // So does ps: the program's failure is the daemon's.
  /"ps: error: /,
];

describe("hostile requests", { skip: description === undefined }, () => {
  let daemon: Daemon;
  const agent = new Agent({ keepAlive: true, maxSockets: inParallel });
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await daemon.ok("run", "-d", "--init", "--name", "target", "busybox", "sleep", "1000");
  });
  after(async () => {
    agent.destroy();
    await daemon.close();
  });

  /** The answer as soon as its head is there; of a refusal all of it. */
  function send(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}): Promise<Answered> {
    const socketPath = daemon.directHost.slice("unix://".length);
    const typed =
      body === undefined ? headers : { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers };
    return new Promise((done, fail) => {
      const sent = request({ socketPath, method, path, headers: typed, agent }, (answer) => {
        const status = answer.statusCode ?? 0;
        const isStream = status === 200 && answer.headers["content-length"] === undefined;
        let text = "";
        answer.on("error", () => undefined);
        if (isStream) {
          answer.destroy();
          return done({ status, text });
        }
        answer.on("data", (chunk) => (text += chunk)).on("end", () => done({ status, text }));
      });
      sent.setTimeout(patienceMs, () => sent.destroy(new Error("no answer")));
      sent.on("upgrade", (_answer, socket) => {
        socket.destroy();
        done({ status: 101, text: "" });
      });
      sent.on("error", (error) => fail(new Error(`${method} ${path.slice(0, 200)} ${String(body).slice(0, 200)}: ${error.message}`)));
      sent.end(body);
    });
  }

  const refusals: string[] = [];
  /** So much of the daemon's log has been looked at. */
  let logged = 0;

  async function sendAll(requests: Iterable<() => Promise<void>>): Promise<void> {
    const queue = requests[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) await next.value();
    };
    await Promise.all(Array.from({ length: inParallel }, work));
  }

  function judge(what: string, { status, text }: Answered): void {
    if (status === 500 && !admitted.some((pattern) => pattern.test(text))) refusals.push(`${what.slice(0, 300)}: ${text.slice(0, 300)}`);
    if (status >= 400 && status !== 404 && !what.startsWith("HEAD ")) assert.match(text, /^\{"message":".*"\}\n$/s, what.slice(0, 300));
  }

  /** Nothing so far has been a bug, and the daemon has forgotten it all. */
  function assertUnharmed(memoryBefore: number): void {
    assert.equal(refusals.splice(0).join("\n"), "");
    assert.ok(daemon.isAlive, daemon.log.slice(-3000));
    const bugs = daemon.log
      .slice(logged)
      .split("\n")
      .filter((line) => line.includes("with a bug"));
    logged = daemon.log.length;
    assert.equal(bugs.join("\n"), "");
    const grown = memory() - memoryBefore;
    assert.ok(grown < 192 * mebibyte, `the daemon has grown by ${(grown / mebibyte).toFixed(0)} MiB`);
  }

  const memory = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;

  for (const [template, path, whole] of bodies) {
    test(`bodies of ${path}`, async () => {
      const earlier = memory();
      const made = new Map<string, string>();
      const once = async (value: unknown): Promise<void> => {
        const text = JSON.stringify(isObject(value) ? { ...whole, ...value } : value);
        const answer = await send("POST", path, text);
        judge(`${path} ${text}`, answer);
        if (answer.status === 201) made.set(String((JSON.parse(answer.text) as Json)[path === "/volumes/create" ? "Name" : "Id"]), text);
      };
      const places = [...placesIn(bodySchema(template))];
      assert.ok(places.length > 0, "the body is described");
      await sendAll(places.flatMap((put) => values.map((value) => () => once(put(value)))));
      await sendAll(values.map((value) => () => once(value)));
      if (path === "/containers/create") await startSome(made);
      if (path.endsWith("/exec")) await runSome(made);
      if (path === "/volumes/create")
        await sendAll([...made.keys()].map((name) => async () => void (await send("DELETE", `/volumes/${name}`))));
      assertUnharmed(earlier);
    });
  }

  /** What was created of a hostile request is started too, one in a few, and removed. */
  async function startSome(made: ReadonlyMap<string, string>): Promise<void> {
    const each = Number(process.env["BERTH_TEST_START_EACH"] ?? 12);
    await sendAll(
      [...made].map(([id, text], index) => async () => {
        if (index % each === 0) judge(`start of ${text}`, await send("POST", `/containers/${id}/start`));
        assert.equal((await send("DELETE", `/containers/${id}?force=1&v=1`)).status, 204);
      }),
    );
  }

  async function runSome(made: ReadonlyMap<string, string>): Promise<void> {
    await sendAll(
      [...made].map(([id, text]) => async () => {
        const detached = await send("POST", `/exec/${id}/start`, '{"Detach":true}');
        judge(`run of ${text}`, detached);
      }),
    );
  }

  test("bodies that are not what they say", async () => {
    const earlier = memory();
    const texts: readonly (string | Buffer)[] = [
      "",
      "NaN",
      "[",
      "[".repeat(mebibyte),
      '{"a":'.repeat(mebibyte / 8),
      `{"Labels":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      '{"Image":"busybox"}{"Image":"busybox"}',
      `{"Image":"${"}".repeat(60_000)}`,
      '{"Image":"none","Image":null,"image":7}',
      Buffer.from('{"Image":"\xff\xfe","Cmd":["\xc0"]}', "latin1"),
      `{"Image":"none","Labels":{"a":"${"x".repeat(mebibyte)}"}}`,
      `{"Image":"${"a/".repeat(mebibyte / 2)}"}`,
      `{"Image":"none","Env":[${'"A=1",'.repeat(mebibyte / 8)}"B"]}`,
      `{"Image":"busybox","HostConfig":{"SecurityOpt":["seccomp=${'{\\"defaultAction\\":'.repeat(1000)}"]}}`,
    ];
    const paths = bodies.map(([, path]) => path);
    await sendAll(
      paths.flatMap((path) => texts.map((text) => async () => judge(`${path} ${text.slice(0, 100)}`, await send("POST", path, text)))),
    );
    const type = { "content-type": "text/plain" };
    for (const path of paths) judge(path, await send("POST", path, "{}", type));
    assertUnharmed(earlier);
  });

  test("parameters", async () => {
    const earlier = memory();
    // What ends the daemon's own means of being asked, or asks somebody else over the network.
    const left = (template: string, parameter: string): boolean => template === "/images/create" && parameter === "fromSrc";
    const paths = Object.entries(description?.paths ?? {}).flatMap(([template, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ template, method: method.toUpperCase(), operation })),
    );
    for (const { template, method, operation } of paths) {
      if (!/^\/(containers|exec|images|volumes|networks|events|commit|system|info|_ping)\b/.test(template)) continue;
      const described = (operation["parameters"] ?? []) as { readonly in?: string; readonly name?: string }[];
      const names = described.filter((one) => one.in === "query" && !left(template, one.name ?? "")).map((one) => one.name ?? "");
      const there = template.replace(/\{\w+\}/, template.startsWith("/containers") && method !== "DELETE" ? "target" : "missing");
      const body = method === "POST" && /create|commit/.test(template) ? '{"Image":"busybox"}' : undefined;
      const asked = [
        ...names.flatMap((name) => parameters.map((value) => `${there}?${name}=${value}`)),
        ...(template.includes("{") ? parameters.map((value) => template.replace(/\{\w+\}/, value.slice(0, 5000) || "%20")) : []),
      ];
      await sendAll(asked.map((path) => async () => judge(`${method} ${path}`, await send(method, path, body))));
      await ask(daemon, "POST", "/containers/target/start");
    }
    assertUnharmed(earlier);
  });
});
