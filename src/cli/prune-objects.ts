/** What `prune` removes of each kind: how the API is asked, and how its answer is told. */
import { formatSize } from "../base/units.ts";
import type { Context } from "./command.ts";
import { confirm } from "./confirm.ts";

interface PruneAnswer {
  readonly ContainersDeleted?: readonly string[] | null;
  readonly NetworksDeleted?: readonly string[] | null;
  readonly VolumesDeleted?: readonly string[] | null;
  readonly CachesDeleted?: readonly string[] | null;
  readonly ImagesDeleted?: readonly { readonly Untagged?: string; readonly Deleted?: string }[] | null;
  readonly SpaceReclaimed?: number;
}

interface PruneKind {
  readonly path: string;
  readonly title: string;
  deleted(answer: PruneAnswer): readonly string[];
}

type PruneName = "containers" | "networks" | "volumes" | "images" | "cache";

const kinds: Readonly<Record<PruneName, PruneKind>> = {
  containers: { path: "/containers/prune", title: "Deleted Containers:", deleted: (answer) => answer.ContainersDeleted ?? [] },
  networks: { path: "/networks/prune", title: "Deleted Networks:", deleted: (answer) => answer.NetworksDeleted ?? [] },
  volumes: { path: "/volumes/prune", title: "Deleted Volumes:", deleted: (answer) => answer.VolumesDeleted ?? [] },
  images: {
    path: "/images/prune",
    title: "Deleted Images:",
    deleted: (answer) =>
      (answer.ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
        Untagged !== undefined && Untagged !== "" ? `untagged: ${Untagged}` : `deleted: ${Deleted}`,
      ),
  },
  cache: { path: "/build/prune", title: "Deleted build cache objects:", deleted: (answer) => answer.CachesDeleted ?? [] },
};

export interface PruneRequest {
  readonly kind: PruneName;
  /** The `filters` parameter. */
  readonly filters?: string | undefined;
  /** The build cache's own parameter. */
  readonly all?: boolean;
}

async function prune(context: Context, { kind, filters, all }: PruneRequest): Promise<number> {
  const { path, title, deleted } = kinds[kind];
  const answer = await context.client().json<PruneAnswer>("POST", path, { query: { filters, all } });
  const lines = deleted(answer);
  if (lines.length > 0) context.out(`${title}\n${lines.map((line) => `${line}\n`).join("")}\n`);
  return answer.SpaceReclaimed ?? 0;
}

/** Prunes in the order given, after the user has agreed to the warning, and tells what was gained, where that takes `space`. */
export async function pruneObjects(
  context: Context,
  requests: readonly PruneRequest[],
  { force, warning, space = true }: { readonly force: boolean; readonly warning: string; readonly space?: boolean },
): Promise<number> {
  if (!force && !(await confirm(context, warning))) return 0;
  let reclaimed = 0;
  for (const request of requests) reclaimed += await prune(context, request);
  if (space) context.out(`Total reclaimed space: ${formatSize(reclaimed, 4)}\n`);
  return 0;
}
