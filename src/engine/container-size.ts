import { join } from "node:path";
import type { ContainerRecord } from "../containers/containers.ts";
import { treeSize } from "../kernel/tree-size.ts";
import type { EngineContext } from "./context.ts";

/** What the container has written, and that with its image. Bytes. */
export async function containerSizes(context: EngineContext, record: ContainerRecord): Promise<{ rw: number; rootFs: number }> {
  const rw = await treeSize(join(context.statePath(record.id), "upper"));
  const image = context.images.get(record.settings.imageId);
  return { rw, rootFs: rw + (image?.sizeBytes ?? 0) };
}
