/** `--publish-add` and `--publish-rm`: the ports that a container is to have, from those that it has. */
import { isIP } from "node:net";
import type { ContainerInspectResponse, ContainerUpdateRequest, PortBinding } from "../../spec/spec.ts";
import { parsePorts } from "./ports.ts";

export interface PortChanges {
  readonly add: Bindings;
  readonly remove: Bindings;
}

type Bindings = Readonly<Record<string, readonly PortBinding[]>>;

/** @throws Error with Docker's wording for `--publish` */
export function parsePortChanges(added: readonly string[], removed: readonly string[]): PortChanges {
  return { add: parsePorts(added, []).bindings, remove: parsePorts(removed, []).bindings };
}

/** One spelling of an address is as good as another. */
function sameAddress(a: string, b: string): boolean {
  const plain = (text: string): string => (isIP(text) === 6 ? new URL(`http://[${text}]`).hostname : text);
  return plain(a) === plain(b);
}

/** What is not said of the host's side fits any. */
function fits(binding: PortBinding, wanted: PortBinding): boolean {
  if (wanted.HostIp && !sameAddress(binding.HostIp ?? "", wanted.HostIp)) return false;
  return !wanted.HostPort || (binding.HostPort ?? "") === wanted.HostPort;
}

const sameBinding = (a: PortBinding, b: PortBinding): boolean =>
  sameAddress(a.HostIp ?? "", b.HostIp ?? "") && (a.HostPort ?? "") === (b.HostPort ?? "");

/** Without a list, or with an empty one, the port is one that the engine chooses. */
const listOf = (bindings: readonly PortBinding[] | null | undefined): readonly PortBinding[] =>
  bindings == null || bindings.length === 0 ? [{ HostIp: "", HostPort: "" }] : bindings;

/**
 * Ports that were there before are added a second time only if the host's side differs. A port that `-P` has published can
 * be removed: then the others are named one by one.
 * @throws Error for a port to be removed that is not published
 */
export function changedPorts(
  container: ContainerInspectResponse,
  name: string,
  changes: PortChanges,
): Pick<ContainerUpdateRequest, "PortBindings" | "PublishAllPorts"> {
  const host = container.HostConfig ?? {};
  const bindings = new Map(Object.entries(host.PortBindings ?? {}).map(([key, list]) => [key, listOf(list)]));
  const published = host.PublishAllPorts === true ? Object.keys(container.Config?.ExposedPorts ?? {}) : [];
  const byName = Object.keys(changes.remove).some((key) => published.includes(key) && !bindings.has(key));
  if (byName) for (const key of published) if (!bindings.has(key)) bindings.set(key, listOf(null));
  for (const [key, unwanted] of Object.entries(changes.remove)) {
    const before = bindings.get(key) ?? [];
    const left = before.filter((binding) => !unwanted.some((wanted) => fits(binding, wanted)));
    if (left.length === before.length) throw new Error(`No public port '${key}' published for ${name}`);
    if (left.length > 0) bindings.set(key, left);
    else bindings.delete(key);
  }
  for (const [key, wanted] of Object.entries(changes.add)) {
    const before = bindings.get(key) ?? [];
    bindings.set(key, [...before, ...wanted.filter((binding) => !before.some((known) => sameBinding(known, binding)))]);
  }
  return {
    PortBindings: Object.fromEntries([...bindings].map(([key, list]) => [key, [...list]])),
    ...(byName ? { PublishAllPorts: false } : {}),
  };
}
