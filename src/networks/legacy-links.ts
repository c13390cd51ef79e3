/**
 * What `--link` means beside names: on the default network without icc, a container reaches the ports that the linked
 * one exposes, and nothing else of its fellows. Elements of the firewall's table, as long as the endpoint is.
 */
import type { NetlinkOp } from "../kernel/kernel.ts";
import type { TableName } from "../kernel/nftables.ts";
import { netlink } from "./endpoint.ts";
import { allowLinks, denyLinks, type Link } from "./firewall.ts";
import type { AttachRequest } from "./networks.ts";
import { parsePort } from "./port-bindings.ts";
import type { Sandbox } from "./sandbox.ts";

const [noEntry, exists] = [2, 17];

/** `address`: the container's own. */
export function linksAllowed(request: AttachRequest, address: string): Link[] {
  const links = (request.linked ?? []).flatMap((linked) =>
    linked.ports.map((text): Link => ({ from: address, to: linked.address, ...parsePort(text) })),
  );
  // Under two aliases it is one link.
  return [...new Map(links.map((link) => [`${link.to} ${link.port}/${link.protocol}`, link])).values()];
}

export const linksOf = (sandbox: Sandbox): Link[] => sandbox.endpoints.flatMap((endpoint) => endpoint.allowed ?? []);

export function openLinks(table: TableName, links: readonly Link[]): NetlinkOp[] {
  return links.length === 0 ? [] : [netlink(12, allowLinks(table, links), [exists, noEntry])];
}

export function closeLinks(table: TableName, links: readonly Link[]): NetlinkOp[] {
  return links.length === 0 ? [] : [netlink(12, denyLinks(table, links), [noEntry])];
}
