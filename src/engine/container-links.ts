/**
 * Legacy links: a container on the default bridge sees others under aliases, by lines in its /etc/hosts and by
 * variables in its environment. They are kept with the container that has them.
 */
import { conflict, invalidParameter, isEngineError, systemError } from "../base/base.ts";
import { type ContainerLink, type ContainerRecord, isActive, isStopped, linkVariables, parseLink } from "../containers/containers.ts";
import type { HostConfig, NetworkSettings } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import { editFile } from "./name-files.ts";
import { changeNetwork } from "./network-change.ts";
import { isUserDefined, networkRequest } from "./network-request.ts";

function conflicting(kind: "host type networking" | "container type network"): Error {
  return invalidParameter(`conflicting options: ${kind} can't be used with links. This would result in undefined behavior`);
}

/** The links that a new container asks for. @throws InvalidParameter for what cannot be linked */
export function resolveLinks(context: EngineContext, host: HostConfig): readonly ContainerLink[] | undefined {
  const asked = host.Links ?? [];
  if (asked.length === 0) return undefined;
  const mode = host.NetworkMode ?? "";
  // There they are names that the resolver knows: the endpoint has them.
  if (isUserDefined(mode)) return undefined;
  if (mode === "host") throw conflicting("host type networking");
  if (mode.startsWith("container:")) throw conflicting("container type network");
  const links = new Map<string, ContainerLink>();
  for (const text of asked) {
    const { name, alias } = parseLink(text);
    const child = linkTarget(context, name);
    if (!links.has(alias)) links.set(alias, { id: child.id, alias, name: child.name });
  }
  return [...links.values()];
}

/** Who is in another container's network is reached there. */
function linkTarget(context: EngineContext, name: string): ContainerRecord {
  try {
    let child = context.store.find(name);
    for (let mode = modeOf(child); mode.startsWith("container:"); mode = modeOf(child)) {
      child = context.store.find(mode.slice("container:".length));
    }
    if (modeOf(child) === "host") throw conflicting("host type networking");
    return child;
  } catch (error) {
    if (!isEngineError(error, "NotFound")) throw error;
    throw invalidParameter(`could not get container for ${name}: ${error.message}`, error);
  }
}

const modeOf = (record: ContainerRecord): string => record.settings.hostConfig.NetworkMode ?? "";

export interface LinksAtStart {
  readonly env: readonly string[];
  /** `names:address`, as `--add-host` has it; several names with spaces between. */
  readonly hosts: readonly string[];
  /** Ports as `80/tcp`. */
  readonly linked: readonly { readonly address: string; readonly ports: readonly string[] }[];
}

/** What the links of a container that starts give it. @throws System when one of the others does not run */
export function linksAtStart(context: EngineContext, record: ContainerRecord): LinksAtStart {
  const [env, hosts]: [string[], string[]] = [[], []];
  const linked: LinksAtStart["linked"][number][] = [];
  const links = modeOf(record) === "bridge" ? (record.status.links ?? []) : [];
  for (const link of links) {
    const child = context.store.get(link.id);
    if (child === undefined || isStopped(child.status.state)) {
      throw systemError(`Cannot link to a non running container: /${child?.name ?? link.name} AS /${record.name}/${link.alias}`);
    }
    const address = addressOf(child.status.network);
    if (address === "") throw systemError(`container ${child.id} not attached to default bridge network`);
    const { config } = child.settings;
    const exposedPorts = Object.keys(config.ExposedPorts ?? {});
    env.push(...linkVariables({ alias: link.alias, parentName: record.name, address, exposedPorts, env: config.Env ?? [] }));
    const names = [link.alias, config.Hostname ?? "", ...(link.alias === child.name ? [] : [child.name])];
    hosts.push(`${names.join(" ")}:${address}`);
    linked.push({ address, ports: exposedPorts });
  }
  return { env, hosts, linked };
}

/** What those that it is linked to have now; who does not run has nothing that others may not get. */
function linkedNow(context: EngineContext, record: ContainerRecord): LinksAtStart["linked"] {
  return (record.status.links ?? []).flatMap(({ id }) => {
    const child = context.store.get(id);
    if (child === undefined || isStopped(child.status.state)) return [];
    const address = addressOf(child.status.network);
    return address === "" ? [] : [{ address, ports: Object.keys(child.settings.config.ExposedPorts ?? {}) }];
  });
}

/** Where containers may not meet unless they are linked: a running one reaches those whom it is linked to, and no one who has got their address. */
async function changeLinks(context: EngineContext, parent: ContainerRecord): Promise<void> {
  const live = context.liveOf(parent.id);
  const { run } = live;
  if (run === undefined || modeOf(parent) !== "bridge") return;
  await live.lock.run(async () => {
    if (live.run !== run || !isActive(live.record.status.state)) return;
    const request = { ...networkRequest(context, live.record), linked: linkedNow(context, live.record) };
    if (!context.networks.hasOtherLinks(request)) return;
    await changeNetwork(context, live, run, { step: "link", request, plan: (wishes) => context.networks.changeLinks(wishes) });
  });
}

/** A linked container has ended. */
export async function cutFromParents(context: EngineContext, id: string): Promise<void> {
  for (const parent of parentsOf(context, id)) await changeLinks(context, parent);
}

function addressOf(network: NetworkSettings | undefined): string {
  return network?.Networks?.["bridge"]?.IPAddress ?? "";
}

/** `/child:/parent/alias` each, as inspect shows them. */
export function linkTexts(context: EngineContext, record: ContainerRecord): string[] | null {
  const links = record.status.links ?? [];
  if (links.length === 0) return null;
  return links.map((link) => `/${context.store.get(link.id)?.name ?? link.name}:/${record.name}/${link.alias}`);
}

/** Under which further names containers are known: id → `/parent/alias` each. */
export function linkNames(context: EngineContext): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const record of context.store.list()) {
    for (const { id, alias } of record.status.links ?? []) names.set(id, [...(names.get(id) ?? []), `/${record.name}/${alias}`]);
  }
  return names;
}

function parentsOf(context: EngineContext, id: string): ContainerRecord[] {
  const parents: ContainerRecord[] = [];
  for (const record of context.store.list()) if (record.status.links?.some((link) => link.id === id) === true) parents.push(record);
  return parents;
}

/** A linked container may come back with another address: those that see it are told. */
export async function tellParents(context: EngineContext, record: ContainerRecord): Promise<void> {
  const address = addressOf(record.status.network);
  if (address === "") return;
  for (const parent of parentsOf(context, record.id)) {
    const aliases = (parent.status.links ?? []).filter((link) => link.id === record.id).map((link) => link.alias);
    await editHosts(context, parent, (alias, line) => (aliases.includes(alias) ? line.replace(/^\S+/, address) : line));
    await changeLinks(context, parent);
  }
}

/** Before a container's record goes: its name stays with those that link to it. */
export function keepLinkedName(context: EngineContext, record: ContainerRecord): void {
  for (const parent of parentsOf(context, record.id)) {
    const links = (parent.status.links ?? []).map((link) => (link.id === record.id ? { ...link, name: record.name } : link));
    context.store.update(parent, { links });
  }
}

/** `DELETE /containers/parent/alias?link=1`. */
export async function removeLink(context: EngineContext, reference: string): Promise<void> {
  const [parentName = "", alias] = reference.replace(/^\//, "").split("/");
  if (alias === undefined) throw conflict("Conflict, cannot remove the default link name of the container");
  const parent = context.store.byName(parentName);
  if (parent === undefined) throw systemError(`Cannot get parent /${parentName} for link name /${parentName}/${alias}`);
  context.store.update(parent, { links: (parent.status.links ?? []).filter((link) => link.alias !== alias) });
  await editHosts(context, parent, (name, line) => (name === alias ? undefined : line));
  await changeLinks(context, parent);
}

/** Changes the hosts file of a running container, in place: it is bound into the container. */
async function editHosts(
  context: EngineContext,
  record: ContainerRecord,
  edit: (name: string, line: string) => string | undefined,
): Promise<void> {
  if (!isActive(record.status.state)) return;
  await editFile(context, context.liveOf(record.id), "hosts", (text) => {
    const lines = text.split("\n").map((line) => edit(/^\S+\s+(\S+)/.exec(line)?.[1] ?? "", line));
    return lines.filter((line) => line !== undefined).join("\n");
  });
}
