/** Puts a signature into a registry as cosign does: one more layer of the image under the manifest's signature tag. */
import { Readable } from "node:stream";
import { type Digest, digestOf, invalidParameter, isEngineError } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";
import { type Descriptor, type ImageManifest, mediaTypes } from "../spec/spec.ts";
import { payloadType, readPayload, signatureAnnotation, signatureTag } from "./signatures.ts";

/** @throws InvalidParameter when the payload is not about this manifest */
export async function attachSignature(
  remote: Remote,
  digest: Digest,
  { payload, signature }: { payload: Uint8Array; signature: string },
  signal?: AbortSignal,
): Promise<void> {
  if (readPayload(payload)?.digest !== digest) throw invalidParameter(`the payload is not about ${digest}`);
  const tag = signatureTag(digest);
  const mediaType = payloadType;
  const layer: Descriptor = {
    mediaType,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [signatureAnnotation]: signature },
  };
  const before = await layersThere(remote, tag, signal);
  const layers = [...before.filter((other) => other.annotations?.[signatureAnnotation] !== signature), layer];
  const config = Buffer.from(
    JSON.stringify({
      architecture: "",
      created: "0001-01-01T00:00:00Z",
      os: "",
      rootfs: { type: "layers", diff_ids: layers.map((one) => one.digest) },
      config: {},
    }),
  );
  await push(remote, payload, signal);
  await push(remote, config, signal);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers,
  };
  await remote.putManifest(tag, mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)), signal);
}

/** All of them: what is not looked at in a verification is kept all the same. */
async function layersThere(remote: Remote, tag: string, signal?: AbortSignal): Promise<readonly Descriptor[]> {
  try {
    const { content } = await remote.manifest(tag, signal);
    if (content.kind === "image") return content.manifest.layers;
    throw invalidParameter(`${tag} is no image of signatures`);
  } catch (error) {
    if (isEngineError(error, "NotFound")) return [];
    throw error;
  }
}

async function push(remote: Remote, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  await remote.pushBlob(
    { digest: digestOf(bytes), size: bytes.length, open: (offset) => Readable.from([bytes.subarray(offset)], { objectMode: false }) },
    signal === undefined ? {} : { signal },
  );
}
