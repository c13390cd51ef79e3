/** A container's /etc/hosts and /etc/resolv.conf, for the networks that it is in. */
import type { Place } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import { hostHostsText, hostsText, ownHostsLines, type ResolverKind, readHostResolver, resolverText } from "./name-files.ts";
import type { AttachRequest, FileChanges } from "./networks.ts";
import { resolverOf } from "./request.ts";

const addressesOf = ({ endpoint: { link } }: Place): (string | undefined)[] => [link?.address, link?.address6];

/** @throws InvalidParameter for what is no address */
export async function filesOf(
  ground: Ground,
  request: AttachRequest,
  places: readonly Place[],
  ofHost = false,
): Promise<readonly [hosts: string, resolvConf: string]> {
  const { extraHosts, hostname } = request;
  const gateways = ground.hostGateways;
  const hosts = ofHost
    ? await hostHostsText(extraHosts, gateways)
    : hostsText({ extraHosts, hostname, gateways, addresses: places.flatMap(addressesOf), ipv6: ground.host.ipv6 });
  return [hosts, await resolvConfOf(ground, request, places, ofHost)];
}

async function resolvConfOf(ground: Ground, request: AttachRequest, places: readonly Place[], ofHost: boolean): Promise<string> {
  const kind: ResolverKind = ofHost ? "host" : places.some(({ open }) => open.zone !== undefined) ? "embedded" : "direct";
  const ipv6 = places.some(({ endpoint }) => endpoint.link?.address6 !== undefined);
  return resolverText(await readHostResolver(kind), resolverOf(request, ground.options), kind, ipv6);
}

/** What changes in them when a running container's networks do. */
export async function fileChanges(
  ground: Ground,
  request: AttachRequest,
  before: readonly Place[],
  after: readonly Place[],
): Promise<FileChanges> {
  const lines = (places: readonly Place[]): string[] => ownHostsLines(request.hostname, places.flatMap(addressesOf));
  const [linesBefore, linesAfter] = [lines(before), lines(after)];
  const [resolverBefore = "", resolverAfter = ""] = await Promise.all(
    [before, after].map((places) => resolvConfOf(ground, request, places, false)),
  );
  return {
    hostsAdded: linesAfter.filter((line) => !linesBefore.includes(line)),
    hostsRemoved: linesBefore.filter((line) => !linesAfter.includes(line)),
    ...(resolverBefore === resolverAfter ? {} : { resolvConf: { before: resolverBefore, after: resolverAfter } }),
  };
}
