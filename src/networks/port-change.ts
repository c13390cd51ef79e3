/** A step from one set of published ports to another. */
import type { HostOp, HostPort } from "../kernel/kernel.ts";
import { isRelayed, type PublishedPort } from "./firewall.ts";
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
  /** For the change's plan. */
  readonly sockets: SocketChange;
  /** For the plan that takes it back. */
  readonly undo: SocketChange;
  /** The change is made: what is not published any more may be given to others. */
  commit(): void;
  /** It is not: what was taken for it may. */
  abandon(): void;
}

/** For the monitor, which lets go of ports before it holds others. */
export interface SocketChange {
  readonly release: readonly HostPort[];
  readonly hold: readonly HostOp[];
}

/**
 * What is to be done so that a container that has `before` has what is wished; the ports for it are taken. A port that
 * was chosen stays, also when the container's end of it is another than before.
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
  return {
    after: [...keep, ...added],
    added,
    removed,
    sockets: { release: without(removed, added).map(hostPortOf), hold: holdPorts(without(added, removed)) },
    undo: undoSockets(added, removed),
    commit() {
      if (removed.length === 0) return;
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

/** Back to `removed`, however much of a change to `added` has come about. */
export function undoSockets(added: readonly PublishedPort[], removed: readonly PublishedPort[]): SocketChange {
  const back = without(removed, added);
  return { release: [...without(added, removed), ...back].map(hostPortOf), hold: holdPorts(back) };
}

const hostPortOf = ({ protocol, hostAddress, hostPort }: PublishedPort): HostPort => ({ protocol, address: hostAddress, port: hostPort });

/** Those of `ports` whose sockets are not as they are for `others`. What is not passed on needs the same socket whatever it leads to. */
function without(ports: readonly PublishedPort[], others: readonly PublishedPort[]): PublishedPort[] {
  const key = (port: PublishedPort): string => `${port.protocol} ${port.hostAddress} ${port.hostPort}`;
  if (ports.length === 0 || others.length === 0) return ports.filter((port) => port.routed !== true);
  const held = new Set(others.filter((port) => !isRelayed(port)).map(key));
  return ports.filter((port) => port.routed !== true && (isRelayed(port) || !held.has(key(port))));
}

interface Comparison {
  readonly keep: readonly PublishedPort[];
  readonly add: readonly PortWish[];
  readonly remove: readonly PublishedPort[];
}

function compare(before: readonly PublishedPort[], wishes: readonly PortWish[], ends: PortEnds): Comparison {
  // At a start: with a thousand ports the comparison counts.
  if (before.length === 0) return { keep: [], add: wishes, remove: [] };
  const left = Map.groupBy(before, (port) => `${port.containerPort}/${port.protocol}`);
  const keep: PublishedPort[] = [];
  const add: PortWish[] = [];
  for (const wish of wishes) {
    const key = `${wish.containerPort}/${wish.protocol}`;
    const candidates = left.get(key) ?? [];
    const places = placesOf(wish, ends);
    const found = placesFound(wish, places, candidates);
    const kept = places.flatMap((place) => {
      const port = found.get(place.hostAddress);
      return port !== undefined && isSame(port, place) ? [port] : [];
    });
    keep.push(...kept);
    left.set(
      key,
      candidates.filter((port) => !kept.includes(port)),
    );
    const missing = places.map(({ hostAddress }) => hostAddress).filter((address) => !kept.some((port) => port.hostAddress === address));
    if (missing.length > 0) add.push(againAs({ ...wish, hostAddresses: missing }, [...found.values()][0]));
  }
  return openedAnew({ keep, add, remove: [...left.values()].flat() });
}

/** Its host port, if it has one, goes on to be the wish's. */
function againAs(wish: PortWish, port: PublishedPort | undefined): PortWish {
  return port === undefined || port.routed === true ? wish : { ...wish, hostPorts: [port.hostPort, port.hostPort] };
}

/** By host address, what is published that a wish asks for, wherever it leads to. All have one port: what has not is chosen anew as a whole. */
function placesFound(wish: PortWish, places: readonly Place[], candidates: readonly PublishedPort[]): Map<string, PublishedPort> {
  const addresses = new Set(places.map(({ hostAddress }) => hostAddress));
  const fitting = candidates.filter((port) => addresses.has(port.hostAddress) && (port.routed === true || isWithin(port, wish)));
  for (const alike of Map.groupBy(fitting, ({ hostPort }) => hostPort).values())
    if (isFixed(wish) || alike.length === places.length) return new Map(alike.map((port) => [port.hostAddress, port]));
  return new Map();
}

function isSame(port: PublishedPort, place: Place): boolean {
  return (
    port.containerAddress === place.containerAddress &&
    port.bridge === place.bridge &&
    port.relay === place.relay &&
    port.routed === place.routed
  );
}

function isWithin({ hostPort }: PublishedPort, { hostPorts: [first, last] = [1, 65535] }: PortWish): boolean {
  return hostPort >= first && hostPort <= last;
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
