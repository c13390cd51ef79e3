/** What the host itself has to do with, so that no network is put in its way unasked. */
import { dumpAddresses, dumpRoutes } from "../kernel/rtnetlink.ts";
import { parseLinkAddresses, parseRoutes } from "../kernel/rtnetlink-dump.ts";
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

/** The subnets of the host's addresses, routes and resolvers, of both families, but for the default routes. */
export async function readHostSubnets(kernel: Pick<NetworkKernel, "netlink">): Promise<Subnet[]> {
  const addresses = parseLinkAddresses(await kernel.netlink(0, dumpAddresses()));
  const routes = [...parseRoutes(await kernel.netlink(0, dumpRoutes(4))), ...parseRoutes(await kernel.netlink(0, dumpRoutes(6)))];
  return [
    ...addresses.map((entry) => makeSubnet(entry.address, entry.prefixLength)),
    ...routes.flatMap(({ destination, prefixLength }) =>
      destination === undefined || prefixLength === 0 ? [] : [makeSubnet(destination, prefixLength)],
    ),
    ...resolvers((await readHostResolver("direct")).text),
  ];
}
