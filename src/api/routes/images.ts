import { invalidParameter } from "../../base/base.ts";
import type { ImageBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import { platformParameter, platformsParameter } from "../platform-parameter.ts";
import type { Route } from "../router.ts";
import { shapeImage, shapeImageSummary } from "../shape.ts";
import { sendBytes, sendLines, sendProgress } from "../stream.ts";
import { authOf } from "./registries.ts";

/** `fromImage` with a tag or digest of its own parameter. Clients of old end the name of a whole repository with a colon. */
function pullReference(given: string, tag: string): string {
  const image = given.replace(/:$/, "");
  if (tag === "") return image;
  return tag.includes(":") ? `${image}@${tag}` : `${image}:${tag}`;
}

async function create(images: ImageBackend, call: Call): Promise<void> {
  const { query } = call;
  const platform = query.option("platform", "platform");
  const image = query.text("fromImage");
  if (image !== "") {
    const options = { ...platform, ...authOf(call), signal: call.signal };
    return await sendProgress(call, images.pull(pullReference(image, query.text("tag")), options));
  }
  const from = query.text("fromSrc");
  const options = {
    repository: query.text("repo"),
    tag: query.text("tag"),
    message: query.text("message"),
    changes: query.all("changes"),
    ...platform,
  };
  await sendProgress(call, images.import(from === "-" ? call.upload() : from, options, call.signal));
}

async function push(images: ImageBackend, call: Call): Promise<void> {
  const options = { tag: call.query.text("tag"), ...platformParameter(call, 46), ...authOf(call) };
  // Older clients send their credentials once more as the body.
  call.request.resume();
  await sendProgress(call, images.push(call.param("name"), options, call.signal));
}

async function save(images: ImageBackend, call: Call, names: readonly string[]): Promise<void> {
  const archive = await images.save(
    names.flatMap((name) => name.split(",")).filter((name) => name !== ""),
    platformParameter(call, 48),
  );
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
  const found = await images.list({
    all: query.flag("all"),
    filters,
    sharedSize: call.minor >= 42 && query.flag("shared-size"),
    manifests: call.minor >= 47 && query.flag("manifests"),
  });
  call.json(
    200,
    found.map((image) => shapeImageSummary(image, call.minor)),
  );
}

async function inspect(images: ImageBackend, call: Call): Promise<void> {
  const manifests = call.minor >= 48 && call.query.flag("manifests");
  const asked = platformParameter(call, 49);
  if (manifests && asked.platform !== undefined)
    throw invalidParameter("conflicting options: manifests and platform options cannot both be set");
  call.json(200, shapeImage(await images.inspect(call.param("name"), { manifests, ...asked }), call.minor));
}

async function remove(images: ImageBackend, call: Call): Promise<void> {
  const { query } = call;
  const options = { force: query.flag("force"), noPrune: query.flag("noprune"), ...platformsParameter(call, 50) };
  call.json(200, await images.remove(call.param("name"), options));
}

/** What each layer does, or with `files=true` a line for each path. */
async function layers(images: ImageBackend, call: Call): Promise<void> {
  const name = call.param("name");
  if (call.query.flag("files")) await sendLines(call, await images.layerFiles(name));
  else call.json(200, await images.layers(name));
}

async function collect(images: ImageBackend, call: Call): Promise<void> {
  const { query } = call;
  const words = {
    ...query.option("keep-storage", "keep-storage"),
    ...query.option("min-free", "min-free"),
    ...query.option("unused-for", "unused-for"),
    ...query.option("recent", "recent"),
  };
  call.json(200, await images.collect(words, { dryRun: query.flag("dry-run") }));
}

async function pin(images: ImageBackend, call: Call, pinned: boolean): Promise<void> {
  await images.pin(call.param("name"), pinned);
  call.empty(204);
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
      handler: async (call) => {
        const options = { quiet: call.query.flag("quiet"), ...platformParameter(call, 48) };
        await sendProgress(call, images.load(call.upload(), options), { accepted: true });
      },
    },
    { method: "GET", pattern: "/images/{name}/json", handler: (call) => inspect(images, call) },
    {
      method: "GET",
      pattern: "/images/{name}/history",
      handler: async (call) => call.json(200, await images.history(call.param("name"), platformParameter(call, 48))),
    },
    { method: "GET", pattern: "/images/{name}/get", handler: (call) => save(images, call, [call.param("name")]) },
    { method: "POST", pattern: "/images/{name}/push", handler: (call) => push(images, call) },
    { method: "POST", pattern: "/images/{name}/tag", handler: (call) => tag(images, call) },
    { method: "DELETE", pattern: "/images/{name}", handler: (call) => remove(images, call) },
    { method: "POST", pattern: "/berth/images/gc", handler: (call) => collect(images, call) },
    { method: "POST", pattern: "/berth/images/{name}/pin", handler: (call) => pin(images, call, true) },
    { method: "DELETE", pattern: "/berth/images/{name}/pin", handler: (call) => pin(images, call, false) },
    { method: "GET", pattern: "/berth/images/{name}/layers", handler: (call) => layers(images, call) },
    {
      method: "GET",
      pattern: "/berth/images/{name}/diff",
      handler: async (call) => await sendLines(call, await images.differences(call.param("name"), call.query.text("with"))),
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
