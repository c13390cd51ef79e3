/** Which networks a container can be in together, in Docker's words. */
import { type EngineError, forbidden, invalidParameter } from "../base/base.ts";
import type { EndpointSettings, NetworkInspect } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { networkNamed } from "./network-request.ts";

const shared = (): EngineError =>
  invalidParameter("container sharing network namespace with another container or host cannot be connected to any other network");

const lone = (): EngineError =>
  invalidParameter("container cannot be connected to multiple networks with one of the networks in private (none) mode");

export const hostConflict = (): EngineError =>
  invalidParameter("container cannot be disconnected from host network or connected to host network");

/** Of a container that is made: by names, as its networks need not be there yet. @throws InvalidParameter */
export function checkTogether(mode: string, names: readonly string[]): void {
  const all = new Set(mode === "host" ? [mode, ...names] : names);
  if (names.includes("host") && mode !== "host") throw hostConflict();
  if (all.size > 1 && all.has("host")) throw shared();
  if (all.size > 1 && all.has("none")) throw lone();
}

/** Who joins another container has no endpoint to ask anything for. @throws InvalidParameter */
export function checkJoining(mode: string, { IPAMConfig, Aliases }: EndpointSettings): void {
  const faults = [
    ...(IPAMConfig?.IPv4Address || IPAMConfig?.IPv6Address ? ["user-specified IP address is supported on user-defined networks only"] : []),
    ...(Aliases?.length ? ["network-scoped aliases are only supported for user-defined networks"] : []),
  ];
  if (faults.length > 0) throw invalidParameter(`invalid config for network ${mode}: invalid endpoint settings:\n${faults.join("\n")}`);
}

/** May a container join a network? @returns false: it is in it already. @throws InvalidParameter */
export function mayJoin(context: EngineContext, live: LiveContainer, network: NetworkInspect): boolean {
  const { config, hostConfig, endpoints } = live.record.settings;
  const mode = hostConfig.NetworkMode ?? "";
  if (mode.startsWith("container:")) throw shared();
  if (config.NetworkDisabled === true) throw lone();
  if (network.ConfigOnly === true) throw forbidden("cannot create endpoint on configuration-only network");
  if (mode !== "host" && network.Driver === "host") throw hostConflict();
  for (const name of Object.keys(endpoints)) {
    const other = networkNamed(context, name);
    if (other === undefined) continue;
    if (other.Id === network.Id) return false;
    if (other.Driver === "host" || network.Driver === "host") throw shared();
    if (other.Name === "none" || network.Name === "none") throw lone();
  }
  return true;
}
