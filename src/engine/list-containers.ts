import { type Digest, type Filters, notFound } from "../base/base.ts";
import { type ContainerRecord, isStopped, networksOf, parseFilters, summarize } from "../containers/containers.ts";
import type { ContainerSummary } from "../spec/spec.ts";
import { linkNames } from "./container-links.ts";
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
  const known = new Map<string, readonly NamedImage[]>();
  const images = (reference: string): readonly NamedImage[] => {
    const found = known.get(reference) ?? resolveImages(context, reference);
    known.set(reference, found);
    return found;
  };
  const filter = parseFilters(options.filters, { images, find: (reference) => findExactly(context, reference) });
  const all = options.all || options.limit > 0 || filter.wantsAll;
  let chosen: ContainerRecord[] = [];
  for (const record of context.store.list()) {
    if ((all || !isStopped(record.status.state)) && filter.matches(record)) chosen.push(record);
  }
  chosen.reverse();
  if (options.limit > 0) chosen = chosen.slice(0, options.limit);
  const links = linkNames(context);
  const nowMs = Date.now();
  return await Promise.all(
    chosen.map(async (record) => {
      const name = record.settings.config.Image ?? "";
      return summarize(record, {
        nowMs,
        // A name that was moved to another image since would lie.
        imageName: images(name).some(({ id }) => id === record.settings.imageId) ? name : record.settings.imageId,
        networks: networksOf(record),
        linkNames: links.get(record.id) ?? [],
        ...(options.size ? { sizes: await containerSizes(context, record) } : {}),
      });
    }),
  );
}

/** The filters `before` and `since` take no prefixes of ids. */
function findExactly(context: EngineContext, reference: string): ContainerRecord {
  const found = context.store.get(reference) ?? context.store.byName(reference.replace(/^\//, ""));
  if (found === undefined) throw notFound(`No such container: ${reference}`);
  return found;
}

interface NamedImage {
  readonly id: Digest;
  readonly layers: readonly Digest[];
}

/** All platforms of a name. */
function resolveImages(context: EngineContext, reference: string): readonly NamedImage[] {
  try {
    return context.images.platforms(reference).map(({ id, config }) => ({ id, layers: config.rootfs.diff_ids }));
  } catch {
    return [];
  }
}
