/** For tests: a registry that listens on loopback with an empty folder, and a client that says exactly what it is told. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { setLogLevel } from "../base/base.ts";
import { mediaTypes } from "./manifest.ts";
import { openRegistry, type RegistryOptions, type RunningRegistry } from "./open.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body's, if it is JSON. */
  readonly json: { readonly [key: string]: unknown } & { readonly errors?: readonly { code: string; message: string }[] };
}

export interface Question {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

export function sha256(data: string | Uint8Array): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

/** Asks on a connection of its own. Rejects when the answer breaks off. */
export function ask(port: number, method: string, path: string, { headers = {}, body }: Question = {}): Promise<Answer> {
  const framed = body === undefined || "Content-Length" in headers || "Transfer-Encoding" in headers;
  const length = framed ? {} : { "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers: { ...headers, ...length }, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const all = Buffer.concat(chunks);
        const isJson = /json/.test(answer.headers["content-type"] ?? "") && all.length > 0;
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: all, json: isJson ? JSON.parse(all.toString()) : {} });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export class ScratchRegistry implements AsyncDisposable {
  readonly root: string;
  readonly #options: Partial<RegistryOptions>;
  #running: RunningRegistry | undefined;

  private constructor(root: string, options: Partial<RegistryOptions>) {
    this.root = root;
    this.#options = options;
  }

  static async open(options: Partial<RegistryOptions> = {}): Promise<ScratchRegistry> {
    setLogLevel("fatal");
    const registry = new ScratchRegistry(await mkdtemp("/var/tmp/berth-test-registry-"), options);
    try {
      await registry.start();
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  async start(): Promise<void> {
    const address = { host: "127.0.0.1", port: 0 };
    this.#running = await openRegistry({ root: this.root, address, gcIntervalMs: 0, ...this.#options });
  }

  get running(): RunningRegistry {
    if (this.#running === undefined) throw new Error("the registry does not run");
    return this.#running;
  }

  get port(): number {
    return this.running.port;
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.root, { recursive: true, force: true });
  }

  ask(method: string, path: string, question?: Question): Promise<Answer> {
    return ask(this.port, method, path, question);
  }

  /** Pushes a blob in one request. @returns its digest */
  async pushBlob(repository: string, data: string | Uint8Array): Promise<string> {
    const digest = sha256(data);
    const answer = await this.ask("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: data });
    if (answer.status !== 201) throw new Error(`push of a blob: ${answer.status} ${answer.body}`);
    return digest;
  }

  putManifest(repository: string, reference: string, manifest: object | string, mediaType?: string): Promise<Answer> {
    const body = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
    const type = mediaType ?? (JSON.parse(body) as { mediaType?: string }).mediaType ?? "";
    return this.ask("PUT", `/v2/${repository}/manifests/${reference}`, { body, headers: { "Content-Type": type } });
  }

  /** Pushes an image of some random layers under a tag. @returns the manifest's digest and the blobs' */
  async pushImage(
    repository: string,
    tag: string,
    layers = 2,
    layerBytes = 1000,
  ): Promise<{ digest: string; blobs: string[]; manifest: string }> {
    const blobs: Uint8Array[] = [Buffer.from(JSON.stringify({ os: "linux", id: randomBytes(8).toString("hex") }))];
    for (let at = 0; at < layers; at++) blobs.push(randomBytes(layerBytes));
    for (const blob of blobs) await this.pushBlob(repository, blob);
    const manifest = JSON.stringify(imageManifest(blobs));
    const answer = await this.putManifest(repository, tag, manifest);
    if (answer.status !== 201) throw new Error(`push of a manifest: ${answer.status} ${answer.body}`);
    return { digest: sha256(manifest), blobs: blobs.map(sha256), manifest };
  }

  /** Names of the files below `blobs` and `uploads`. */
  async filesOf(folder: "blobs" | "uploads"): Promise<string[]> {
    const entries = await readdir(join(this.root, folder), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }
}

export function descriptor(mediaType: string, data: string | Uint8Array): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: sha256(data), size: Buffer.byteLength(data) };
}

/** An OCI image manifest of a configuration and layers. */
export function imageManifest([config = Buffer.from("{}"), ...layers]: readonly (string | Uint8Array)[], more: object = {}): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map((layer) => descriptor("application/vnd.oci.image.layer.v1.tar", layer)),
    ...more,
  };
}
