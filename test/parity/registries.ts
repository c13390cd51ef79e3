/** The registries that the script's group `registries` asks: the same for both engines, made anew for each. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { digestOf } from "../../src/base/base.ts";
import { certificates } from "../../src/distribution/rough-registry.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { ScratchRegistry } from "../../src/registry/scratch-registry.ts";
import { mediaTypes } from "../../src/spec/spec.ts";
import { TokenServer } from "../token-server.ts";
import type { Folders } from "./normalise.ts";

const password = "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"; // berth
/** Engines trust the loopback in all; this address (RFC 5737) they do not. */
const elsewhere = "198.51.100.7";

export interface Registries extends AsyncDisposable {
  /** Variables for the script: where they are. */
  readonly environment: Readonly<Record<string, string>>;
  /** What stands for that in a recording. */
  readonly folders: Folders;
}

function images(): Shelf {
  const shelf = new Shelf();
  const tars = ["a", "b", "c"].map((name) => tarOf({ [name]: `file ${name}\n` }));
  const platform = { os: "linux", architecture: "amd64" };
  shelf.image(tars.slice(0, 2), platform, "one");
  const image = shelf.image(tars, platform, "two");
  shelf.index([{ ...image, platform }], "index");
  return shelf;
}

/** What no registry of ours would take. */
function oddities(): Shelf {
  const shelf = images();
  shelf.manifest({ schemaVersion: 1, fsLayers: [] }, "application/vnd.docker.distribution.manifest.v1+prettyjws", "old");
  const empty = shelf.blob(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const artifact = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "application/x.sbom",
    config: empty,
    layers: [empty],
  };
  shelf.manifest(artifact, mediaTypes.ociManifest, "artifact");
  const config = shelf.blob(Buffer.from("{}"), mediaTypes.ociConfig);
  shelf.manifest(
    { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], manifests: [] },
    mediaTypes.ociManifest,
    "both",
  );
  shelf.manifest({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [empty] }, mediaTypes.ociManifest, "layers");
  shelf.manifest({ schemaVersion: 2, mediaType: "application/x.y", config, layers: [] }, "application/x.y", "type");
  const lost = { mediaType: mediaTypes.ociLayer, digest: digestOf(Buffer.from("lost")), size: 4 };
  const of = (...diffIds: string[]): object => ({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: diffIds } });
  shelf.imageOf(of(lost.digest), [lost], "lost");
  const whole = shelf.layer(tarOf({ b: "corrupt" }), 2);
  shelf.imageOf(of(whole.digest), [whole], "corrupt");
  shelf.blobs.set(whole.digest, Buffer.from(tarOf({ b: "changed" })));
  return shelf;
}

/** Refusals, by tag. */
function refuses(path: string, _request: IncomingMessage, response: ServerResponse): boolean {
  const tag = /\/manifests\/(.*)$/.exec(path)?.[1] ?? "";
  const said = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] });
  const answers: Readonly<Record<string, readonly [status: number, body: string]>> = {
    limited: [429, said("TOOMANYREQUESTS", "You have reached your pull rate limit.")],
    broken: [500, "<html>Internal Server Error</html>"],
    teapot: [418, "short and stout"],
  };
  const answer = answers[tag];
  if (answer === undefined) return false;
  const type = answer[1].startsWith("{") ? "application/json" : "text/html";
  response.writeHead(answer[0], { "content-type": type, "content-length": answer[1].length }).end(answer[1]);
  return true;
}

export async function openRegistries(): Promise<Registries> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp("/var/tmp/berth-parity-registries-");
  stack.defer(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "users"), `sailor:${password}\n`);
  const { cert, key } = await certificates(elsewhere);
  const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  await writeFile(tls.certFile, cert);
  await writeFile(tls.keyFile, key);
  const lo = (verb: string): unknown => execFileSync("ip", ["addr", verb, `${elsewhere}/32`, "dev", "lo"]);
  lo("replace");
  stack.defer(() => void lo("del"));

  const shelf = images();
  const open = stack.use(await ScratchRegistry.open());
  await shelf.pushTo(`http://127.0.0.1:${open.port}`);
  const access = { kind: "htpasswd", file: join(folder, "users"), realm: "sea" } as const;
  const guarded = stack.use(await ScratchRegistry.open({ access }));
  await shelf.pushTo(`http://127.0.0.1:${guarded.port}`, { authorization: `Basic ${Buffer.from("sailor:berth").toString("base64")}` });
  const odd = stack.use(await oddities().serve(refuses));
  const tokens = stack.use(await TokenServer.open());
  const { service, issuer } = TokenServer;
  const behind = { kind: "token", realm: tokens.realm, service, issuer, keyFile: tokens.certFile } as const;
  const token = stack.use(await ScratchRegistry.open({ access: behind }));
  const address = { host: elsewhere, port: 0 };
  const plain = stack.use(await ScratchRegistry.open({ address }));
  const secure = stack.use(await ScratchRegistry.open({ address, tls }));
  const environment = {
    OPEN: `127.0.0.1:${open.port}`,
    GUARDED: `127.0.0.1:${guarded.port}`,
    ODD: odd.host,
    TOKEN: `127.0.0.1:${token.port}`,
    PLAIN: `${elsewhere}:${plain.port}`,
    SECURE: `${elsewhere}:${secure.port}`,
  };
  const stays = stack.move();
  return {
    environment,
    folders: Object.entries(environment).map(([name, host]) => [host, `<${name.toLowerCase()}>`] as const),
    [Symbol.asyncDispose]: () => stays.disposeAsync(),
  };
}
