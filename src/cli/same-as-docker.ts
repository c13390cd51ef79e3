/**
 * The docker client is the reference: both clients get the same words and the same answers from one socket,
 * and must ask for the same, print the same and exit with the same status, their names apart.
 */
import assert from "node:assert/strict";
import { type ClientResult, runClient } from "./bundled-client.ts";
import type { Asked, Script, ScriptedDaemon } from "./scripted-daemon.ts";

const rename = (text: string): string =>
  text
    .replaceAll("Docker daemon", "Berth daemon")
    .replaceAll("docker daemon", "berth daemon")
    .replace(/\bdocker\b(?!\.)/g, "berth");

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  value === 0 ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);

/**
 * Without what Go sends of empty fields; keys in order. Sets (`{"80/tcp":{}}`) keep their members, and lists that
 * docker takes out of a map, in any order, are sorted.
 */
function prune(value: unknown, key = ""): unknown {
  if (["Binds", "Env"].includes(key) && Array.isArray(value)) return [...value].sort();
  const text = (one: unknown): string => JSON.stringify(one);
  if (key === "Config" && Array.isArray(value)) return value.map((one) => prune(one)).sort((a, b) => (text(a) < text(b) ? -1 : 1));
  if (Array.isArray(value)) return key === "ConsoleSize" && value.every((one) => one === 0) ? undefined : value.map((one) => prune(one));
  if (value === null || typeof value !== "object") return value;
  const isSet = ["Volumes", "ExposedPorts", "EndpointsConfig"].includes(key);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, prune(one, name)] as const).filter(([, one]) => isSet || !isEmpty(one)));
}

const showAsked = (asked: readonly Asked[]): unknown[] =>
  asked.map((one) => {
    const filters = one.query["filters"];
    return prune({ ...one, query: { ...one.query, ...(filters === undefined || filters === "" ? {} : { filters: JSON.parse(filters) }) } });
  });

export interface SameOptions {
  readonly input?: string;
  /** What is asked on the way may differ: berth gets along with less. */
  readonly anyRequests?: boolean;
}

/** @param under.main the bundled client */
export async function sameAsDocker(
  under: { readonly daemon: ScriptedDaemon; readonly main: string },
  script: Script,
  args: readonly string[],
  options: SameOptions = {},
): Promise<void> {
  const { daemon, main } = under;
  daemon.script = script;
  const both: { result: ClientResult; asked: unknown[] }[] = [];
  for (const client of ["docker", "berth"] as const) {
    daemon.asked.length = 0;
    const env = { ...process.env, DOCKER_HOST: daemon.host };
    const { status, stdout, stderr } = await runClient(client, main, args, { env, input: options.input ?? "" });
    both.push({ result: { status, stdout: rename(stdout), stderr: rename(stderr) }, asked: showAsked(daemon.asked) });
  }
  assert.notEqual(both[0]?.result.status, null, "docker came to an end");
  assert.deepEqual(both[1]?.result, both[0]?.result);
  if (options.anyRequests !== true) assert.deepEqual(both[1]?.asked, both[0]?.asked);
}
