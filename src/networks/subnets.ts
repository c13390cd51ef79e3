/** Choosing a subnet that nobody on the host uses. */
import { createHash } from "node:crypto";
import { invalidParameter } from "../base/base.ts";
import { bitsOf, lastOf, numberAddress, parseCidr, type Subnet } from "./addresses.ts";

/** A range that networks' subnets are cut from, each `size` bits of prefix. */
export interface SubnetSource {
  readonly base: Subnet;
  readonly size: number;
}

const source = (base: string, size: number): SubnetSource => ({ base: parseCidr(base).subnet, size });

/**
 * Docker's own 31, in its order: 172.17 first, then 172.18 to 172.31, then sixteen of 192.168. When these are in use, some
 * 4,000 smaller ones, of a part of 10/8 that neither clouds' nor Kubernetes' usual ranges are in.
 */
export const defaultSources: readonly SubnetSource[] = [
  source("172.17.0.0/16", 16),
  source("172.18.0.0/16", 16),
  source("172.19.0.0/16", 16),
  source("172.20.0.0/14", 16),
  source("172.24.0.0/14", 16),
  source("172.28.0.0/14", 16),
  source("192.168.0.0/16", 20),
  source("10.208.0.0/12", 24),
];

/** `--default-address-pool`: `base=10.0.0.0/8,size=24`, or of IPv6. @throws InvalidParameter */
export function parseSubnetSource(text: string): SubnetSource {
  const fields = new Map(text.split(",").map((part) => part.split("=", 2) as [string, string | undefined]));
  const { subnet } = parseCidr(fields.get("base") ?? "");
  const size = Number(fields.get("size") ?? Number.NaN);
  // A subnet needs room for its own name, the gateway and somebody behind it.
  const most = subnet.family === 4 ? 30 : 126;
  if (!Number.isInteger(size) || size < subnet.prefixLength || size > most)
    throw invalidParameter(`invalid default address pool ${text}: size must be between ${subnet.prefixLength} and ${most}`);
  return { base: subnet, size };
}

/** Of fd00::/8, the 65,536 subnets that are this engine's alone (RFC 4193): the same again for the same id. */
export function uniqueLocalSource(engineId: string): SubnetSource {
  const digest = createHash("sha256").update(engineId).digest().subarray(0, 5);
  const globalId = digest.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return source(`${numberAddress(6, (0xfdn << 120n) | (globalId << 80n))}/48`, 64);
}

const ascending = (a: Subnet, b: Subnet): number => (a.base < b.base ? -1 : a.base > b.base ? 1 : a.prefixLength - b.prefixLength);

/**
 * What networks get subnets from that name none. `pools` are `--default-address-pool`'s: where there are any only these
 * count, in ascending order as Docker has it, but for IPv6, of which there always is something.
 * @throws InvalidParameter
 */
export function subnetSources(pools: readonly string[] | undefined, engineId: string): readonly SubnetSource[] {
  const given = (pools ?? []).map(parseSubnetSource).sort((a, b) => ascending(a.base, b.base));
  const chosen = given.length > 0 ? given : defaultSources;
  return chosen.some(({ base }) => base.family === 6) ? chosen : [...chosen, uniqueLocalSource(engineId)];
}

type Span = readonly [first: bigint, last: bigint];

/** The parts of a family's space that are taken, in ascending order, those that touch as one. */
function spansOf(family: 4 | 6, taken: readonly Subnet[]): Span[] {
  const sorted = taken.filter((subnet) => subnet.family === family).sort(ascending);
  const spans: [bigint, bigint][] = [];
  for (const subnet of sorted) {
    const [before, last] = [spans.at(-1), lastOf(subnet)];
    if (before === undefined || before[1] + 1n < subnet.base) spans.push([subnet.base, last]);
    else if (before[1] < last) before[1] = last;
  }
  return spans;
}

/** The first span that does not lie wholly below `value`. */
function spanFrom(spans: readonly Span[], value: bigint): Span | undefined {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.[1] ?? 0n) < value) low = middle + 1;
    else high = middle;
  }
  return spans[low];
}

/** The first subnet of the sources of that family that overlaps none of `taken`. Undefined: all are in use. */
export function chooseSubnet(sources: readonly SubnetSource[], taken: readonly Subnet[], family: 4 | 6 = 4): Subnet | undefined {
  const spans = spansOf(family, taken);
  for (const { base, size } of sources) {
    if (base.family !== family) continue;
    const step = 1n << BigInt(bitsOf(family) - size);
    for (let at = base.base; at <= lastOf(base); ) {
      const subnet: Subnet = { family, base: at, prefixLength: size };
      const inTheWay = spanFrom(spans, at);
      if (inTheWay === undefined || inTheWay[0] > lastOf(subnet)) return subnet;
      // Past it, and up to where the next one may begin.
      at = ((inTheWay[1] - base.base) / step + 1n) * step + base.base;
    }
  }
  return undefined;
}
