/** What a container asks to be published, in Docker's terms, as a list of wishes. */
import { invalidParameter } from "../base/base.ts";
import type { PortBinding } from "../spec/spec.ts";
import type { Protocol } from "./firewall.ts";
import { isAnyAddress, parseHostAddress } from "./port-address.ts";

export interface PortWish {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** At all of these, with the same port. */
  readonly hostAddresses: readonly string[];
  /** The first free one of these, both ends included; undefined: any. */
  readonly hostPorts?: readonly [first: number, last: number];
}

export interface PortRequest {
  readonly portBindings: Readonly<Record<string, PortBinding[]>>;
  readonly exposedPorts: readonly string[];
  readonly publishAllPorts: boolean;
}

const protocols: readonly string[] = ["tcp", "udp", "sctp"];

/** `80/tcp`; without a protocol tcp is meant. @throws InvalidParameter */
export function parsePort(text: string): { readonly port: number; readonly protocol: Protocol } {
  const [, digits = "", protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port < 1 || port > 65535) throw invalidParameter(`invalid port specification: ${JSON.stringify(text)}`);
  const lower = protocol.toLowerCase();
  if (!protocols.includes(lower)) throw invalidParameter(`invalid proto: ${protocol}`);
  return { port, protocol: lower as Protocol };
}

/** `8080`, `8000-8010`; "" and 0 leave the choice to us. */
function parseHostPorts(text: string): readonly [number, number] | undefined {
  if (text === "" || text === "0") return undefined;
  const [, first = "", last = first] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/\w+)?$/.exec(text) ?? [];
  const range = [Number(first), Number(last)] as const;
  if (first === "" || range[0] < 1 || range[1] > 65535 || range[0] > range[1])
    throw invalidParameter(`invalid port specification: ${JSON.stringify(text)}`);
  return range;
}

/** The choice is not ours. */
export const isFixed = (wish: Pick<PortWish, "hostPorts">): boolean =>
  wish.hostPorts !== undefined && wish.hostPorts[0] === wish.hostPorts[1];

const rankOfProtocol: Readonly<Record<Protocol, number>> = { tcp: 0, udp: 1, sctp: 2 };

/** Fixed ports first, then ranges, then what may be any: so no choice takes what another wish needs. */
const rank = (wish: PortWish): number => (wish.hostPorts === undefined ? 2 : isFixed(wish) ? 0 : 1);

function inOrder(a: PortWish, b: PortWish): number {
  return (
    rank(a) - rank(b) ||
    a.containerPort - b.containerPort ||
    rankOfProtocol[a.protocol] - rankOfProtocol[b.protocol] ||
    (a.hostPorts?.[0] ?? 0) - (b.hostPorts?.[0] ?? 0) ||
    (a.hostPorts?.[1] ?? 0) - (b.hostPorts?.[1] ?? 0)
  );
}

const isOfVersion6 = (address: string): boolean => address.includes(":");

function clash(a: readonly string[], b: readonly string[]): boolean {
  return a.some((one) =>
    b.some((other) => one === other || ((isAnyAddress(one) || isAnyAddress(other)) && isOfVersion6(one) === isOfVersion6(other))),
  );
}

/** Wishes that differ in their addresses alone get one port together: `-p 127.0.0.1::80 -p [::1]::80`. */
function joined(wishes: readonly PortWish[]): PortWish[] {
  if (wishes.every(isFixed)) return [...wishes];
  const all: PortWish[] = [];
  const open = new Map<string, PortWish>();
  for (const wish of wishes) {
    const key = `${wish.containerPort}/${wish.protocol}/${wish.hostPorts?.join("-") ?? ""}`;
    const fellow = isFixed(wish) ? undefined : open.get(key);
    if (fellow === undefined || clash(fellow.hostAddresses, wish.hostAddresses)) {
      all.push(wish);
      open.set(key, wish);
      continue;
    }
    const both = { ...fellow, hostAddresses: [...fellow.hostAddresses, ...wish.hostAddresses] };
    all[all.indexOf(fellow)] = both;
    open.set(key, both);
  }
  return all;
}

/**
 * All wishes, in the order in which ports are to be given out.
 * @param addresses where what names no address is published: see `publishAddresses`
 * @throws InvalidParameter
 */
export function portWishes(request: PortRequest, addresses: readonly string[]): PortWish[] {
  const wishes: PortWish[] = [];
  const bound = new Set<string>();
  const wish = (key: string, binding: PortBinding): void => {
    const { port: containerPort, protocol } = parsePort(key);
    const hostPorts = parseHostPorts(binding.HostPort ?? "");
    const hostAddresses = binding.HostIp ? [parseHostAddress(binding.HostIp)] : addresses;
    wishes.push(
      hostPorts === undefined ? { protocol, containerPort, hostAddresses } : { protocol, containerPort, hostAddresses, hostPorts },
    );
  };
  for (const [key, bindings] of Object.entries(request.portBindings)) {
    for (const binding of bindings ?? []) wish(key, binding);
    if (request.publishAllPorts) bound.add(keyOf(key));
  }
  for (const exposed of request.exposedPorts) {
    const key = keyOf(exposed);
    if (!request.publishAllPorts || bound.has(key)) continue;
    bound.add(key);
    wish(key, {});
  }
  return joined(wishes).sort(inOrder);
}

const usualKey = /^[1-9]\d{0,3}\/(?:tcp|udp|sctp)$/;

/** `80` and `80/TCP` as `80/tcp`. @throws InvalidParameter */
export function keyOf(text: string): string {
  if (usualKey.test(text)) return text;
  const { port, protocol } = parsePort(text);
  return `${port}/${protocol}`;
}
