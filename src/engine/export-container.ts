import { conflict } from "../base/base.ts";
import type { TarOutput } from "../kernel/kernel.ts";
import { streamFromView } from "./container-view.ts";
import type { EngineContext } from "./context.ts";

/** `GET /containers/x/export`: the container's own file system as a tar, without what is mounted in it. */
export async function exportContainer(context: EngineContext, reference: string, client?: number): Promise<TarOutput> {
  const live = context.find(reference);
  const { status } = live.record.status.state;
  if (status === "dead") throw conflict(`You cannot export container ${live.id} which is Dead`);
  if (status === "removing") throw conflict(`You cannot export container ${live.id} which is being removed`);
  const output = await streamFromView(context, live, { mounts: false }, (view) => context.kernel.trees.export(view, client));
  context.publish(live, "export");
  return output;
}
