/** Choosing a subnet that nobody on the host uses. */
import { invalidParameter } from "../base/base.ts";
import { overlap, parseCidr, type Subnet, sizeOf } from "./addresses.ts";

/** A range that networks' subnets are cut from, each `size` bits of prefix. */
export interface SubnetSource {
  readonly base: Subnet;
  readonly size: number;
}

const source = (base: string, size: number): SubnetSource => ({ base: parseCidr(base).subnet, size });

/** Docker's own, in its order: 172.17 first, then 172.18 to 172.31, then sixteen of 192.168. */
export const defaultSources: readonly SubnetSource[] = [
  source("172.17.0.0/16", 16),
  source("172.18.0.0/16", 16),
  source("172.19.0.0/16", 16),
  source("172.20.0.0/14", 16),
  source("172.24.0.0/14", 16),
  source("172.28.0.0/14", 16),
  source("192.168.0.0/16", 20),
];

/** `--default-address-pool`: `base=10.0.0.0/8,size=24`. @throws InvalidParameter */
export function parseSubnetSource(text: string): SubnetSource {
  const fields = new Map(text.split(",").map((part) => part.split("=", 2) as [string, string | undefined]));
  const { subnet } = parseCidr(fields.get("base") ?? "");
  const size = Number(fields.get("size") ?? Number.NaN);
  if (!Number.isInteger(size) || size < subnet.prefixLength || size > 30)
    throw invalidParameter(`invalid default address pool ${text}: size must be between ${subnet.prefixLength} and 30`);
  return { base: subnet, size };
}

/** The first subnet of the sources that overlaps none of `taken`. Undefined: all are in use. */
export function chooseSubnet(sources: readonly SubnetSource[], taken: readonly Subnet[]): Subnet | undefined {
  for (const { base, size } of sources) {
    const count = 1n << BigInt(size - base.prefixLength);
    for (let index = 0n; index < count; index++) {
      const candidate: Subnet = { family: base.family, base: base.base, prefixLength: size };
      const subnet = { ...candidate, base: base.base + index * sizeOf(candidate) };
      if (!taken.some((other) => overlap(other, subnet))) return subnet;
    }
  }
  return undefined;
}
