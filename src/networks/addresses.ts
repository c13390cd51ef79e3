/** Addresses and subnets as numbers, of both families. */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { invalidParameter } from "../base/base.ts";
import { addressBytes, addressText } from "../kernel/netlink-address.ts";

export interface Subnet {
  readonly family: 4 | 6;
  /** The first address, host bits zero. */
  readonly base: bigint;
  readonly prefixLength: number;
}

export const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

export function addressNumber(text: string): bigint {
  return addressBytes(text).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

export function numberAddress(family: 4 | 6, value: bigint): string {
  const bytes = new Uint8Array(bitsOf(family) / 8);
  let rest = value;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return addressText(bytes);
}

/** Undefined when the text is no address; one with a zone (`fe80::1%eth0`) is none that two namespaces could share. */
export function familyOf(text: string): 4 | 6 | undefined {
  const family = text.includes("%") ? 0 : isIP(text);
  return family === 4 || family === 6 ? family : undefined;
}

/** How many addresses it has. */
export const sizeOf = (subnet: Subnet): bigint => 1n << BigInt(bitsOf(subnet.family) - subnet.prefixLength);
export const lastOf = (subnet: Subnet): bigint => subnet.base + sizeOf(subnet) - 1n;
export const subnetText = (subnet: Subnet): string => `${numberAddress(subnet.family, subnet.base)}/${subnet.prefixLength}`;

export function makeSubnet(address: string, prefixLength: number): Subnet {
  const family = familyOf(address);
  if (family === undefined || prefixLength < 0 || prefixLength > bitsOf(family))
    throw invalidParameter(`invalid CIDR address: ${address}/${prefixLength}`);
  const hostBits = BigInt(bitsOf(family) - prefixLength);
  return { family, base: (addressNumber(address) >> hostBits) << hostBits, prefixLength };
}

/**
 * `address/length`: the address as it is written, and its subnet.
 * @throws InvalidParameter with the wording that Go's parser gives Docker
 */
export function parseCidr(text: string): { address: string; subnet: Subnet } {
  const [, address = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (length === "" || familyOf(address) === undefined) throw invalidParameter(`invalid CIDR address: ${text}`);
  return { address, subnet: makeSubnet(address, Number(length)) };
}

export function contains(subnet: Subnet, address: string): boolean {
  if (familyOf(address) !== subnet.family) return false;
  const value = addressNumber(address);
  return value >= subnet.base && value <= lastOf(subnet);
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.base <= lastOf(b) && b.base <= lastOf(a);
}

/** The MAC address that goes with an address: the same again whenever the address is, so no neighbour holds a stale one. */
export function macFor(address: string): string {
  const bytes = addressBytes(address);
  const own = bytes.length === 4 ? [0x42, ...bytes] : createHash("sha256").update(bytes).digest().subarray(0, 5);
  return [2, ...own].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
