import { Readable } from "node:stream";
import { invalidParameter, messageOf, systemError } from "../../base/base.ts";
import type { Platform } from "../../spec/spec.ts";
import type { ImageBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";
import { shapeImage, shapeImageSummary } from "../shape.ts";
import { sendBytes, sendProgress } from "../stream.ts";
import { authOf } from "./registries.ts";

/** `fromImage` with a tag or digest of its own parameter. */
function pullReference(image: string, tag: string): string {
  if (tag === "") return image;
  return tag.includes(":") ? `${image}@${tag}` : `${image}:${tag}`;
}

/** `fromSrc`: the request's body, or what lies at an address. */
async function importSource(call: Call, from: string): Promise<Readable> {
  if (from === "-") return call.upload();
  const url = from.includes("://") ? from : `http://${from}`;
  if (!URL.canParse(url)) throw invalidParameter(`parse ${JSON.stringify(url)}: no Host in request URL`);
  const answer = await fetch(url, { signal: call.signal }).catch((error: unknown) => {
    throw systemError(`Get ${JSON.stringify(url)}: ${error instanceof Error ? error.message : String(error)}`, error);
  });
  if (!answer.ok || answer.body === null) throw systemError(`Got HTTP status code >= 400: ${answer.status} ${answer.statusText}`);
  return Readable.fromWeb(answer.body);
}

async function create(images: ImageBackend, call: Call): Promise<void> {
  const { query } = call;
  const platform = query.option("platform", "platform");
  const image = query.text("fromImage");
  if (image !== "") {
    const options = { ...platform, ...authOf(call), signal: call.signal };
    return await sendProgress(call, images.pull(pullReference(image, query.text("tag")), options));
  }
  const options = {
    repository: query.text("repo"),
    tag: query.text("tag"),
    message: query.text("message"),
    changes: query.all("changes"),
    ...platform,
  };
  await sendProgress(call, images.import(await importSource(call, query.text("fromSrc")), options));
}

/** JSON of a platform, as newer clients send it. @throws InvalidParameter in Docker's words */
function platformOf(text: string): { platform?: Platform } {
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`failed to parse platform: ${messageOf(error)}`, error);
  }
  if (value === null || typeof value !== "object") throw invalidParameter("failed to parse platform: not an object");
  const { os, architecture, variant } = value as Record<string, unknown>;
  if (typeof os !== "string" || os === "" || typeof architecture !== "string" || architecture === "")
    throw invalidParameter("both OS and Architecture must be provided");
  return { platform: { os, architecture, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) } };
}

async function push(images: ImageBackend, call: Call): Promise<void> {
  const options = { tag: call.query.text("tag"), ...platformOf(call.query.text("platform")), ...authOf(call) };
  // Older clients send their credentials once more as the body.
  call.request.resume();
  await sendProgress(call, images.push(call.param("name"), options, call.signal));
}

async function save(images: ImageBackend, call: Call, names: readonly string[]): Promise<void> {
  const archive = await images.save(names.flatMap((name) => name.split(",")).filter((name) => name !== ""));
  call.signal.addEventListener("abort", () => archive.destroy(), { once: true });
  await sendBytes(call, "application/x-tar", archive);
}

async function tag(images: ImageBackend, call: Call): Promise<void> {
  const repository = call.query.text("repo");
  if (repository === "") throw invalidParameter("invalid reference format");
  await images.tag(call.param("name"), { repository, tag: call.query.text("tag") });
  call.empty(201);
}

async function list(images: ImageBackend, call: Call): Promise<void> {
  const { query } = call;
  const filters = new Map(query.filters());
  const old = query.text("filter");
  if (old !== "" && call.minor < 41) filters.set("reference", [...(filters.get("reference") ?? []), old]);
  const found = await images.list({ all: query.flag("all"), filters, sharedSize: call.minor >= 42 && query.flag("shared-size") });
  call.json(
    200,
    found.map((image) => shapeImageSummary(image, call.minor)),
  );
}

export function imageRoutes(images: ImageBackend): Route[] {
  return [
    { method: "GET", pattern: "/images/json", handler: (call) => list(images, call) },
    { method: "GET", pattern: "/images/get", handler: (call) => save(images, call, call.query.all("names")) },
    { method: "POST", pattern: "/images/create", handler: (call) => create(images, call) },
    { method: "POST", pattern: "/images/prune", handler: async (call) => call.json(200, await images.prune(call.query.filters())) },
    {
      method: "POST",
      pattern: "/images/load",
      handler: (call) => sendProgress(call, images.load(call.upload(), { quiet: call.query.flag("quiet") }), { accepted: true }),
    },
    {
      method: "GET",
      pattern: "/images/{name}/json",
      handler: async (call) => call.json(200, shapeImage(await images.inspect(call.param("name")), call.minor)),
    },
    { method: "GET", pattern: "/images/{name}/history", handler: async (call) => call.json(200, await images.history(call.param("name"))) },
    { method: "GET", pattern: "/images/{name}/get", handler: (call) => save(images, call, [call.param("name")]) },
    { method: "POST", pattern: "/images/{name}/push", handler: (call) => push(images, call) },
    { method: "POST", pattern: "/images/{name}/tag", handler: (call) => tag(images, call) },
    {
      method: "DELETE",
      pattern: "/images/{name}",
      handler: async (call) =>
        call.json(200, await images.remove(call.param("name"), { force: call.query.flag("force"), noPrune: call.query.flag("noprune") })),
    },
    {
      method: "POST",
      pattern: "/berth/images/embedded",
      handler: async (call) => {
        await images.installEmbedded(call.query.text("name"));
        call.empty(201);
      },
    },
  ];
}
