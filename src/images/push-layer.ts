/** One layer of an image on its way to a registry. A large one that was made here is sent while it is being compressed. */
import { shortId } from "../base/base.ts";
import type { Progress, Remote } from "../distribution/distribution.ts";
import type { GrowingFile } from "./growing-file.ts";
import type { Outgoing, OutgoingBlob } from "./outgoing.ts";

export interface LayerPush {
  readonly remote: Remote;
  readonly signal: AbortSignal;
  readonly tell: (progress: Progress) => void;
}

/** @returns what the manifest has for it. Nothing of it goes on when this ends. */
export async function pushLayer(image: Outgoing, position: number, push: LayerPush): Promise<OutgoingBlob> {
  const { remote, tell } = push;
  const id = shortId(image.diffIds[position] ?? "");
  // Compressing and sending end with each other's failure.
  const failed = new AbortController();
  const signal = AbortSignal.any([push.signal, failed.signal]);
  let sending: Promise<void> | undefined;
  const whole = image.blob(position, {
    signal,
    onRead: (current, total) => {
      if (sending === undefined) tell({ id, status: "Preparing", current, total });
    },
    onGrowing: (file, expectedBytes) => {
      sending = sendGrowing(file, { id, expectedBytes, whole }, { remote, signal, tell });
      sending.catch((error: unknown) => failed.abort(error));
    },
  });
  try {
    const blob = await whole;
    if (blob.isForeign) tell({ id, status: "Skipped foreign layer" });
    else await (sending ?? sendWhole(blob, id, { remote, signal, tell }));
    if (!blob.isForeign) image.seen(position, blob, remote.reference);
    return blob;
  } catch (error) {
    failed.abort(error);
    throw error;
  } finally {
    await sending?.catch(() => undefined);
  }
}

async function sendWhole({ descriptor, repositories, open }: OutgoingBlob, id: string, push: LayerPush): Promise<void> {
  const { remote, signal, tell } = push;
  const { domain, path } = remote.reference;
  const mountFrom = repositories.flatMap((name) => {
    const other = name.slice(domain.length + 1);
    return name.startsWith(`${domain}/`) && other !== path ? [other] : [];
  });
  const { digest, size } = descriptor;
  await remote.pushBlob({ digest, size, id, open }, { onProgress: tell, signal, mountFrom });
}

async function sendGrowing(
  growing: GrowingFile,
  { id, expectedBytes, whole }: { id: string; expectedBytes: number; whole: Promise<OutgoingBlob> },
  { remote, signal, tell }: LayerPush,
): Promise<void> {
  await using file = growing;
  let known: OutgoingBlob["descriptor"] | undefined;
  const later = whole.then(({ descriptor }) => {
    known = descriptor;
    return descriptor;
  });
  // Who asks for it hears of it.
  later.catch(() => undefined);
  const source = {
    id,
    expectedBytes,
    later,
    // It may have become whole while it waited for its turn.
    get digest() {
      return known?.digest;
    },
    get size() {
      return known?.size;
    },
    open: (offset: number) => file.read(offset),
  };
  await remote.pushBlob(source, { onProgress: tell, signal });
}
