/**
 * What `--link` means beside names: on the default network without icc, a container reaches the ports that the linked
 * one exposes, and nothing else of its fellows. Elements of the firewall's table, as long as the endpoint is.
 */
import { isDeepStrictEqual } from "node:util";
import type { NetlinkOp } from "../kernel/kernel.ts";
import type { TableName } from "../kernel/nftables.ts";
import { netlink } from "./endpoint.ts";
import { allowLinks, denyLinks, type Link } from "./firewall.ts";
import type { AttachRequest } from "./networks.ts";
import type { OpenNetwork } from "./open-network.ts";
import { parsePort } from "./port-bindings.ts";
import type { Endpoint } from "./records.ts";
import type { Sandbox } from "./sandbox.ts";

const [noEntry, exists] = [2, 17];

/** `address`: the container's own. */
function linksAllowed(request: AttachRequest, address: string): Link[] {
  const links = (request.linked ?? []).flatMap((linked) =>
    linked.ports.map((text): Link => ({ from: address, to: linked.address, ...parsePort(text) })),
  );
  // Under two aliases it is one link.
  return [...new Map(links.map((link) => [`${link.to} ${link.port}/${link.protocol}`, link])).values()];
}

/** With what it may reach of the containers that it is linked to; the endpoint itself where that is so already. */
export function withLinks(endpoint: Endpoint, open: OpenNetwork, request: AttachRequest): Endpoint {
  const address = endpoint.link?.address;
  const links = open.options.icc || address === undefined ? [] : linksAllowed(request, address);
  const { allowed = [], ...others } = endpoint;
  if (isDeepStrictEqual(allowed, links)) return endpoint;
  return links.length === 0 ? others : { ...others, allowed: links };
}

export const linksOf = (sandbox: Sandbox): Link[] => sandbox.endpoints.flatMap((endpoint) => endpoint.allowed ?? []);

export function openLinks(table: TableName, links: readonly Link[]): NetlinkOp[] {
  return links.length === 0 ? [] : [netlink(12, allowLinks(table, links), [exists, noEntry])];
}

export function closeLinks(table: TableName, links: readonly Link[]): NetlinkOp[] {
  return links.length === 0 ? [] : [netlink(12, denyLinks(table, links), [noEntry])];
}
