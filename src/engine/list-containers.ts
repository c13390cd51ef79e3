import { type ContainerRecord, type Filters, isActive, networksOf, parseFilters, summarize } from "../containers/containers.ts";
import type { ContainerSummary } from "../spec/spec.ts";
import { containerSizes } from "./container-size.ts";
import type { EngineContext } from "./context.ts";

export interface ListOptions {
  readonly all: boolean;
  /** The newest n, running or not; 0 or less: no limit. */
  readonly limit: number;
  readonly size: boolean;
  readonly filters: Filters;
}

/** `GET /containers/json`, newest first. */
export async function listContainers(context: EngineContext, options: ListOptions): Promise<ContainerSummary[]> {
  const imageIds = new Map<string, string | undefined>();
  const imageId = (reference: string): string | undefined => {
    if (!imageIds.has(reference)) imageIds.set(reference, resolveId(context, reference));
    return imageIds.get(reference);
  };
  const filter = parseFilters(options.filters, { imageId, find: (reference) => context.store.find(reference) });
  const all = options.all || options.limit > 0 || filter.wantsAll;
  let chosen: ContainerRecord[] = [];
  for (const record of context.store.list()) {
    if ((all || isActive(record.status.state)) && filter.matches(record)) chosen.push(record);
  }
  chosen.reverse();
  if (options.limit > 0) chosen = chosen.slice(0, options.limit);
  const nowMs = Date.now();
  return await Promise.all(
    chosen.map(async (record) => {
      const name = record.settings.config.Image ?? "";
      return summarize(record, {
        nowMs,
        // A name that was moved to another image since would lie.
        imageName: imageId(name) === record.settings.imageId ? name : record.settings.imageId,
        networks: networksOf(record),
        ...(options.size ? { sizes: await containerSizes(context, record) } : {}),
      });
    }),
  );
}

function resolveId(context: EngineContext, reference: string): string | undefined {
  try {
    return context.images.resolve(reference).id;
  } catch {
    return undefined;
  }
}
