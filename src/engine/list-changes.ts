import { join } from "node:path";
import { notFound } from "../base/base.ts";
import type { TreeChange } from "../kernel/kernel.ts";
import type { EngineContext } from "./context.ts";

const changed = 0;

/** `GET /containers/x/changes`: what the container has changed, added and deleted in its image. */
export async function listChanges(context: EngineContext, reference: string): Promise<TreeChange[]> {
  const live = context.find(reference);
  const { id, record } = live;
  const lower = [context.mountPointsLayer, ...(await context.layers.lower(record.settings.layers))];
  const upper = join(context.statePath(id), "upper");
  const changes = await context.kernel.trees.changes(lower, upper).catch((error: unknown) => {
    throw live.removed ? notFound(`No such container: ${reference}`) : error;
  });
  return withParents(changes);
}

/** A directory counts as changed when something in it is, and stands before it. */
export function withParents(changes: readonly TreeChange[]): TreeChange[] {
  const told = new Set<string>();
  const all: TreeChange[] = [];
  for (const change of changes) {
    for (let end = change.path.indexOf("/", 1); end > 0; end = change.path.indexOf("/", end + 1)) {
      const parent = change.path.slice(0, end);
      if (!told.has(parent)) all.push({ path: parent, kind: changed });
      told.add(parent);
    }
    told.add(change.path);
    all.push(change);
  }
  return all;
}
