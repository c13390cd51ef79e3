import { type ContainerRecord, inspectContainer } from "../containers/containers.ts";
import type { ContainerInspectResponse } from "../spec/spec.ts";
import { linkTexts } from "./container-links.ts";
import { containerSizes } from "./container-size.ts";
import type { EngineContext } from "./context.ts";

/** `GET /containers/x/json`. */
export async function inspectReference(
  context: EngineContext,
  reference: string,
  options: { readonly size: boolean },
): Promise<ContainerInspectResponse> {
  const live = context.find(reference);
  const sessions = [...live.execs.values()].filter((exec) => exec.state.status !== "exited").map((exec) => exec.id);
  const answer = inspectContainer(live.record, {
    statePath: context.statePath(live.id),
    logPath: live.record.settings.hostConfig.LogConfig?.Type === "json-file" ? context.logPath(live.id) : "",
    links: linkTexts(context, live.record),
    execIds: sessions.length === 0 ? null : sessions,
    lower: [context.mountPointsLayer, ...live.record.settings.layers.map((diffId) => context.layers.tarPath(diffId)).reverse()],
    appArmorProfile: live.run?.running.spec.process.apparmorProfile ?? "",
    ...(options.size ? { sizes: await containerSizes(context, live.record) } : {}),
  });
  return { ...answer, ...sharedName(context, live.record, answer) };
}

/** Who has started in another container's network goes by its name. */
function sharedName(
  context: EngineContext,
  { settings, status }: ContainerRecord,
  { Config }: ContainerInspectResponse,
): Pick<ContainerInspectResponse, "Config"> {
  const [, other = ""] = /^container:(.+)$/.exec(settings.hostConfig.NetworkMode ?? "") ?? [];
  const config = status.everStarted ? context.store.get(other)?.settings.config : undefined;
  if (config === undefined || Config === undefined) return {};
  return { Config: { ...Config, Hostname: config.Hostname ?? "", Domainname: config.Domainname ?? "" } };
}
