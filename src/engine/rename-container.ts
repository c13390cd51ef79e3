import { conflict, EngineError, invalidParameter } from "../base/base.ts";
import { checkName } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";

/** `POST /containers/x/rename`. */
export async function renameContainer(context: EngineContext, reference: string, name: string): Promise<void> {
  if (reference === "" || name === "") throw invalidParameter("Neither old nor new names may be empty");
  const live = context.find(reference);
  await live.lock.run(async () => {
    if (live.removed) throw conflict("container is marked for removal and cannot be renamed");
    const oldName = live.record.name;
    try {
      const wanted = checkName(name.startsWith("/") ? name : `/${name}`);
      if (wanted === oldName) throw invalidParameter("Renaming a container with the same name as its current name");
      context.store.rename(live.record, wanted);
    } catch (error) {
      if (!(error instanceof EngineError) || error.message.startsWith("Renaming")) throw error;
      throw new EngineError(error.code, `Error when allocating new name: ${error.message}`, { cause: error });
    }
    context.publish(live, "rename", { oldName: `/${oldName}` });
  });
}
