import { invalidParameter } from "../base/base.ts";
import type { HostOp } from "../kernel/kernel.ts";
import { isRelayed, type PublishedPort } from "./firewall.ts";
import type { HostPorts } from "./host-ports.ts";
import { isFixed, type PortWish } from "./port-bindings.ts";
import { type PortInUse, portInUseFor } from "./port-probe.ts";

/** Where the published ports of one IP version lead: the endpoint that the container's default route goes by. */
export interface PortEnd {
  readonly address: string;
  /** The device of its network. */
  readonly bridge: string;
  /** Gateway mode `routed`: other hosts reach the container's own address, and no port of the host is taken. */
  readonly routed?: boolean;
  /** The network trusts interfaces: see {@link PublishedPort.direct}. */
  readonly direct?: boolean;
}

/** The ends of a container, by IP version. */
export interface PortEnds {
  readonly ipv4?: PortEnd;
  readonly ipv6?: PortEnd;
  /** `--publish-mode input`: connections end at the host, whose own rules for INPUT apply, and the monitor passes them on. */
  readonly relayAll?: boolean;
}

export const inUseFor = (wishes: readonly PortWish[]): PortInUse =>
  portInUseFor(wishes.reduce((count, wish) => (isFixed(wish) ? count : count + 1), 0));

/** Takes a port for each wish, all or none. @throws Error with Docker's wording of the clash, InvalidParameter */
export async function takePorts(
  hostPorts: HostPorts,
  wishes: readonly PortWish[],
  ends: PortEnds,
  inUse: PortInUse = inUseFor(wishes),
): Promise<readonly PublishedPort[]> {
  const taking = new Taking(hostPorts, ends);
  try {
    return await taking.choose(taking.takeFixed(wishes), inUse);
  } catch (error) {
    releasePorts(hostPorts, taking.taken);
    throw error;
  }
}

export type Place = Omit<PublishedPort, "hostPort">;

export const containerKey = (port: Place): string => `${port.containerAddress} ${port.containerPort}/${port.protocol}`;

/** Ports that are being taken, by wish. Whoever makes one gives `taken` back when it comes to nothing. */
export class Taking {
  readonly #hostPorts: HostPorts;
  readonly #ends: PortEnds;
  /** The containers' ports that are opened at their own addresses: once each. */
  readonly #opened: Set<string>;
  readonly taken: PublishedPort[] = [];

  constructor(hostPorts: HostPorts, ends: PortEnds, kept: readonly PublishedPort[] = []) {
    this.#hostPorts = hostPorts;
    this.#ends = ends;
    this.#opened = new Set(kept.filter((port) => port.direct ?? port.routed).map(containerKey));
  }

  /** Whether another program has one is found out by the monitor, which binds and keeps it. @returns the wishes that leave the choice to us */
  takeFixed(wishes: readonly PortWish[]): PortWish[] {
    return wishes.filter((wish) => {
      const places = placesOf(wish, this.#ends);
      const addresses = heldAddresses(places);
      if (addresses.length > 0) {
        if (wish.hostPorts === undefined || !isFixed(wish)) return true;
        const clash = this.#hostPorts.takeAll(wish.protocol, addresses, wish.hostPorts[0]);
        if (clash !== undefined) throw new Error(`Bind for ${clash}:${wish.hostPorts[0]} failed: port is already allocated`);
      }
      this.#add(places, wish.hostPorts?.[0] ?? 0);
      return false;
    });
  }

  /** @returns all that is taken */
  async choose(wishes: readonly PortWish[], inUse: PortInUse): Promise<readonly PublishedPort[]> {
    for (const wish of wishes) {
      const places = placesOf(wish, this.#ends);
      const port = await this.#hostPorts.choose(wish.protocol, heldAddresses(places), inUse, wish.hostPorts);
      if (port === undefined) throw new Error("all ports are allocated");
      this.#add(places, port);
    }
    return this.taken;
  }

  #add(places: readonly Place[], hostPort: number): void {
    for (const place of places) {
      if (place.direct !== true && place.routed !== true) {
        this.taken.push({ ...place, hostPort });
        continue;
      }
      const { direct, ...port } = place;
      const opens = !this.#opened.has(containerKey(place));
      this.#opened.add(containerKey(place));
      if (direct === true) this.taken.push({ ...(opens ? place : port), hostPort });
      else if (opens) this.taken.push({ ...port, hostPort: 0 });
    }
  }
}

function heldAddresses(places: readonly Place[]): string[] {
  const addresses: string[] = [];
  for (const { hostAddress, routed } of places) if (routed !== true) addresses.push(hostAddress);
  return addresses;
}

/** Each address of a wish with the end that it leads to. */
export function placesOf(wish: PortWish, ends: PortEnds): Place[] {
  const places: Place[] = [];
  for (const hostAddress of wish.hostAddresses) {
    const place = placeOf(wish, hostAddress, ends);
    if (place !== undefined) places.push(place);
  }
  return places;
}

function placeOf(wish: PortWish, hostAddress: string, ends: PortEnds): Place | undefined {
  const { protocol, containerPort } = wish;
  const own = hostAddress.includes(":") ? ends.ipv6 : ends.ipv4;
  const end = own ?? ends.ipv4 ?? ends.ipv6;
  if (end === undefined) return undefined;
  const place = { protocol, hostAddress, containerAddress: end.address, containerPort, bridge: end.bridge };
  if (end.routed === true) return own === undefined ? undefined : { ...place, routed: true };
  if (own !== undefined && ends.relayAll !== true) return end.direct === true ? { ...place, direct: true } : place;
  if (protocol !== "sctp") return { ...place, relay: true };
  // Nobody asked for this address by name: the other one will do.
  if (own === undefined && wish.hostAddresses.length > 1) return undefined;
  throw invalidParameter(`cannot publish ${containerPort}/sctp on ${hostAddress}: SCTP is not passed on from there to ${end.address}`);
}

/** For a plan: the ports of the host that the container's monitor is to hold, and what to do with what comes in there. */
export function holdPorts(ports: readonly PublishedPort[]): HostOp[] {
  const ops: HostOp[] = [];
  for (const port of ports) {
    if (port.routed === true) continue;
    const hold = { op: "bind-port", protocol: port.protocol, address: port.hostAddress, port: port.hostPort } as const;
    ops.push(isRelayed(port) ? { ...hold, relay: { address: port.containerAddress, port: port.containerPort } } : hold);
  }
  return ops;
}

/** Ports that were given out already: by an earlier daemon, or before a change. */
export function claimPorts(hostPorts: HostPorts, ports: readonly PublishedPort[]): void {
  for (const port of ports) if (port.routed !== true) hostPorts.claim(port.protocol, port.hostAddress, port.hostPort);
}

export function releasePorts(hostPorts: HostPorts, ports: readonly PublishedPort[]): void {
  for (const port of ports) if (port.routed !== true) hostPorts.release(port.protocol, port.hostAddress, port.hostPort);
}
