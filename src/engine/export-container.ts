import type { Readable } from "node:stream";
import { conflict } from "../base/base.ts";
import { streamFromView } from "./container-view.ts";
import type { EngineContext } from "./context.ts";

/** `GET /containers/x/export`: the container's own file system as a tar, without what is mounted in it. */
export async function exportContainer(context: EngineContext, reference: string): Promise<Readable> {
  const live = context.find(reference);
  const { status } = live.record.status.state;
  if (status === "dead") throw conflict(`You cannot export container ${live.id} which is Dead`);
  if (status === "removing") throw conflict(`You cannot export container ${live.id} which is being removed`);
  const { tar } = await streamFromView(context, live, { mounts: false }, async (view) => ({
    tar: await context.kernel.trees.export(view),
  }));
  context.publish(live, "export");
  return tar;
}
