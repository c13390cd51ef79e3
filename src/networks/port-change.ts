/** A step from one set of published ports to another. */
import type { HostOp, HostPort } from "../kernel/kernel.ts";
import type { PublishedPort } from "./firewall.ts";
import type { HostPorts } from "./host-ports.ts";
import { isFixed, type PortWish } from "./port-bindings.ts";
import type { PortInUse } from "./port-probe.ts";
import { claimPorts, containerKey, holdPorts, inUseFor, type Place, type PortEnds, placesOf, releasePorts, Taking } from "./port-taking.ts";

export interface PortChange {
  /** What is published afterwards. */
  readonly after: readonly PublishedPort[];
  /** A port of the host may be among both, with another end. */
  readonly added: readonly PublishedPort[];
  readonly removed: readonly PublishedPort[];
  /** For the change's plan, where the release comes first. */
  readonly hold: readonly HostOp[];
  readonly release: readonly HostPort[];
  /** For the plan that takes it back. */
  readonly undo: { readonly hold: readonly HostOp[]; readonly release: readonly HostPort[] };
  /** The change is made: what is not published any more may be given to others. */
  commit(): void;
  /** It is not: what was taken for it may. */
  abandon(): void;
}

/**
 * What is to be done so that a container that has `before` has what is wished; the ports for it are taken. A port that
 * was chosen stays.
 * @throws as `takePorts`
 */
export async function changePorts(
  hostPorts: HostPorts,
  before: readonly PublishedPort[],
  wishes: readonly PortWish[],
  ends: PortEnds,
  inUse: PortInUse = inUseFor(wishes),
): Promise<PortChange> {
  const { keep, add, remove: removed } = compare(before, wishes, ends);
  const added = await takeInstead(hostPorts, new Taking(hostPorts, ends, keep), removed, add, inUse);
  const hold = without(added, removed);
  const letGo = without(removed, added);
  return {
    after: [...keep, ...added],
    added,
    removed,
    hold: holdPorts(hold),
    release: letGo.map(hostPortOf),
    undo: { hold: holdPorts(letGo), release: hold.map(hostPortOf) },
    commit() {
      releasePorts(hostPorts, removed);
      claimPorts(hostPorts, added);
    },
    abandon() {
      releasePorts(hostPorts, added);
      claimPorts(hostPorts, removed);
    },
  };
}

/** A fixed port may go from one of the container's ports to another. For that moment it is nobody's, so nothing is waited for. */
async function takeInstead(
  hostPorts: HostPorts,
  taking: Taking,
  removed: readonly PublishedPort[],
  wishes: readonly PortWish[],
  inUse: PortInUse,
): Promise<readonly PublishedPort[]> {
  releasePorts(hostPorts, removed);
  try {
    const chosen = taking.takeFixed(wishes);
    claimPorts(hostPorts, removed);
    return await taking.choose(chosen, inUse);
  } catch (error) {
    releasePorts(hostPorts, taking.taken);
    claimPorts(hostPorts, removed);
    throw error;
  }
}

const hostPortOf = ({ protocol, hostAddress, hostPort }: PublishedPort): HostPort => ({ protocol, address: hostAddress, port: hostPort });

/** Those of `ports` whose sockets are not as they are for `others`. What is not passed on needs the same socket whatever it leads to. */
function without(ports: readonly PublishedPort[], others: readonly PublishedPort[]): PublishedPort[] {
  const key = (port: PublishedPort): string => `${port.protocol} ${port.hostAddress} ${port.hostPort}`;
  const held = new Set(others.filter((port) => port.relay !== true).map(key));
  return ports.filter((port) => port.routed !== true && (port.relay === true || !held.has(key(port))));
}

interface Comparison {
  readonly keep: readonly PublishedPort[];
  readonly add: readonly PortWish[];
  readonly remove: readonly PublishedPort[];
}

function compare(before: readonly PublishedPort[], wishes: readonly PortWish[], ends: PortEnds): Comparison {
  const left = Map.groupBy(before, (port) => `${port.containerPort}/${port.protocol}`);
  const keep: PublishedPort[] = [];
  const add: PortWish[] = [];
  for (const wish of wishes) {
    const key = `${wish.containerPort}/${wish.protocol}`;
    const places = placesOf(wish, ends);
    const candidates = (left.get(key) ?? []).filter((port) => places.some((place) => isAt(port, place)));
    const fitting = candidates.filter((port) => port.routed === true || isWithin(port, wish));
    const kept = isFixed(wish) ? fitting : withOnePort(fitting, places.length);
    keep.push(...kept);
    left.set(key, left.get(key)?.filter((port) => !kept.includes(port)) ?? []);
    const missing = places.filter((place) => !kept.some((port) => isAt(port, place)));
    if (missing.length > 0) add.push({ ...wish, hostAddresses: missing.map(({ hostAddress }) => hostAddress) });
  }
  return openedAnew({ keep, add, remove: [...left.values()].flat() });
}

function isAt(port: PublishedPort, place: Place): boolean {
  return port.hostAddress === place.hostAddress && port.containerAddress === place.containerAddress && port.relay === place.relay;
}

function isWithin({ hostPort }: PublishedPort, { hostPorts: [first, last] = [1, 65535] }: PortWish): boolean {
  return hostPort >= first && hostPort <= last;
}

/** All addresses of a wish have one port: what has not is chosen anew as a whole. */
function withOnePort(ports: readonly PublishedPort[], count: number): readonly PublishedPort[] {
  for (const alike of Map.groupBy(ports, ({ hostPort }) => hostPort).values()) if (alike.length === count) return alike;
  return [];
}

/** Where the one that opened a container's port goes, another of its ports has to do it: that one is made anew. */
function openedAnew({ keep, add, remove }: Comparison): Comparison {
  const closed = new Set(remove.filter((port) => port.direct === true).map(containerKey));
  const heirs = keep.filter((port) => port.relay !== true && closed.delete(containerKey(port)));
  if (heirs.length === 0) return { keep, add, remove };
  const anew = heirs.map(
    ({ protocol, containerPort, hostAddress, hostPort }): PortWish => ({
      protocol,
      containerPort,
      hostAddresses: [hostAddress],
      hostPorts: [hostPort, hostPort],
    }),
  );
  return { keep: keep.filter((port) => !heirs.includes(port)), add: [...anew, ...add], remove: [...remove, ...heirs] };
}
