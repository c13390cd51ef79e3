/** What the kernel answers to the dumps of `rtnetlink.ts`. */
import { addressText, macText } from "./netlink-address.ts";
import { dataMessages, parseAttributes, readText, readU32 } from "./netlink-message.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** "" where the link has none. */
  readonly mac: string;
  /** Index of the bridge that it is a port of. */
  readonly master?: number;
  /** `bridge`, `veth`, …; "" for hardware. */
  readonly kind: string;
}

export interface LinkAddress {
  readonly index: number;
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  readonly family: 4 | 6;
  readonly table: number;
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, … */
  readonly type: number;
  /** Undefined: the default route. */
  readonly destination?: string;
  readonly prefixLength: number;
  readonly gateway?: string;
  readonly index?: number;
}

const familyOf = (number: number | undefined): 4 | 6 | undefined => (number === 2 ? 4 : number === 10 ? 6 : undefined);

export function parseLinks(answer: Uint8Array): Link[] {
  return dataMessages(answer)
    .filter((message) => message.type === 16)
    .map(({ payload }) => {
      const found = parseAttributes(payload, 16);
      const info = found.get(18);
      const master = readU32(found.get(10));
      return {
        index: readU32(payload.subarray(4)) ?? 0,
        name: readText(found.get(3)) ?? "",
        up: ((readU32(payload.subarray(8)) ?? 0) & 1) === 1,
        mtu: readU32(found.get(4)) ?? 0,
        mac: macText(found.get(1) ?? new Uint8Array()),
        kind: info === undefined ? "" : (readText(parseAttributes(info).get(1)) ?? ""),
        ...(master === undefined ? {} : { master }),
      };
    });
}

export function parseLinkAddresses(answer: Uint8Array): LinkAddress[] {
  return dataMessages(answer).flatMap(({ type, payload }) => {
    const family = familyOf(payload[0]);
    if (type !== 20 || family === undefined) return [];
    const found = parseAttributes(payload, 8);
    // IFA_LOCAL is the address itself; on a point-to-point link IFA_ADDRESS is the other end's. IPv6 has only the latter.
    const address = found.get(2) ?? found.get(1);
    if (address === undefined) return [];
    return [{ index: readU32(payload.subarray(4)) ?? 0, family, address: addressText(address), prefixLength: payload[1] ?? 0 }];
  });
}

export function parseRoutes(answer: Uint8Array): Route[] {
  return dataMessages(answer).flatMap(({ type, payload }) => {
    const family = familyOf(payload[0]);
    if (type !== 24 || family === undefined) return [];
    const found = parseAttributes(payload, 12);
    const destination = found.get(1);
    const gateway = found.get(5);
    const index = readU32(found.get(4));
    return [
      {
        family,
        table: readU32(found.get(15)) ?? payload[4] ?? 0,
        type: payload[7] ?? 0,
        prefixLength: payload[1] ?? 0,
        ...(destination === undefined ? {} : { destination: addressText(destination) }),
        ...(gateway === undefined ? {} : { gateway: addressText(gateway) }),
        ...(index === undefined ? {} : { index }),
      },
    ];
  });
}
