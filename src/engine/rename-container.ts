import { conflict, EngineError, invalidParameter } from "../base/base.ts";
import { checkName } from "../containers/containers.ts";
import type { EndpointSettings } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

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
      context.store.together(() => {
        context.store.rename(live.record, wanted);
        renameInNetworks(context, live, oldName);
      });
    } catch (error) {
      if (!(error instanceof EngineError) || error.message.startsWith("Renaming")) throw error;
      throw new EngineError(error.code, `Error when allocating new name: ${error.message}`, { cause: error });
    }
    context.publish(live, "rename", { oldName: `/${oldName}` });
  });
}

/** Its fellows find it by the new name, and not by the old one any more. */
function renameInNetworks(context: EngineContext, live: LiveContainer, oldName: string): void {
  const { name, status } = live.record;
  context.networks.rename(live.id, name);
  const { network } = status;
  if (network === undefined) return;
  const renamed = (endpoint: EndpointSettings): EndpointSettings =>
    endpoint.DNSNames ? { ...endpoint, DNSNames: [...new Set(endpoint.DNSNames.map((one) => (one === oldName ? name : one)))] } : endpoint;
  const networks = Object.entries(network.Networks ?? {}).map(([key, endpoint]) => [key, renamed(endpoint)] as const);
  context.store.update(live.record, { network: { ...network, Networks: Object.fromEntries(networks) } });
}
