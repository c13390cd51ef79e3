/** What the host itself has to do with, so that no network is put in its way unasked. */
import { dumpAddresses, dumpRoutes } from "../kernel/rtnetlink.ts";
import { type LinkAddress, parseLinkAddresses, parseRoutes, type Route } from "../kernel/rtnetlink-dump.ts";
import { bitsOf, familyOf, makeSubnet, type Subnet } from "./addresses.ts";
import { readHostResolver } from "./name-files.ts";
import type { NetworkKernel } from "./records.ts";

/** Resolvers are often behind the default route only, where a network of the same addresses would hide them. */
function resolvers(text: string): Subnet[] {
  return text.split("\n").flatMap((line) => {
    const [, address = ""] = /^\s*nameserver\s+([^\s%]+)\s*$/.exec(line) ?? [];
    const family = familyOf(address);
    return family === undefined ? [] : [makeSubnet(address, bitsOf(family))];
  });
}

/** Addresses and routes of the host, of both families. */
export interface HostReach {
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly Route[];
}

export async function readReach(kernel: Pick<NetworkKernel, "netlink">): Promise<HostReach> {
  const addresses = parseLinkAddresses(await kernel.netlink(0, dumpAddresses()));
  const routes = [...parseRoutes(await kernel.netlink(0, dumpRoutes(4))), ...parseRoutes(await kernel.netlink(0, dumpRoutes(6)))];
  return { addresses, routes };
}

/** Link-local and multicast subnets are on every interface. */
export const ofEveryLink = (address: string): boolean => /^(fe[89ab]|ff)/i.test(address);

/** Subnets that the host has to do with, other than by default routes and through the interface `butFor`. */
export function reachedSubnets({ addresses, routes }: HostReach, butFor?: number): Subnet[] {
  const entries = [
    ...addresses,
    ...routes.flatMap(({ index, destination: address, prefixLength }) =>
      address === undefined || prefixLength === 0 ? [] : [{ index, address, prefixLength }],
    ),
  ];
  return entries
    .filter(({ index, address }) => (butFor === undefined || index !== butFor) && !ofEveryLink(address))
    .map(({ address, prefixLength }) => makeSubnet(address, prefixLength));
}

/** Where no new network is put unasked: the subnets of the host's addresses, routes and resolvers. */
export async function readHostSubnets(kernel: Pick<NetworkKernel, "netlink">): Promise<Subnet[]> {
  return [...reachedSubnets(await readReach(kernel)), ...resolvers((await readHostResolver("direct")).text)];
}
