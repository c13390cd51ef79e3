/** Attaching containers that start, and letting go of those that have ended. */
import { type ContainerId, newId } from "../base/base.ts";
import { addressNumber, macFor, numberAddress } from "./addresses.ts";
import { type Arrangement, arrange } from "./arrange.ts";
import { makeInterface } from "./attach-plan.ts";
import { isBuiltIn } from "./catalogue.ts";
import { filesOf } from "./container-files.ts";
import { closePorts, defaultRoutes, loopbackUp, openPorts } from "./endpoint.ts";
import { routesOf } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import { closeLinks, linksOf, openLinks, withLinks } from "./legacy-links.ts";
import { readHostResolver, setsNdots } from "./name-files.ts";
import { addNames, deleteNames, namesOf } from "./names.ts";
import type { Attachment, AttachRequest } from "./networks.ts";
import type { OpenNetwork } from "./open-network.ts";
import { holdPorts, releasePorts } from "./port-taking.ts";
import type { Endpoint, EndpointLink, EndpointResolver, Network } from "./records.ts";
import { type AskedPlace, addressesAsked, macAsked, nameAsked, placesAsked, resolverOf } from "./request.ts";
import { portsOf, type Sandbox } from "./sandbox.ts";
import { blankSettings } from "./settings.ts";
import { settingsOf } from "./shown.ts";
import { vlanIndex } from "./vlan.ts";

/** The container's first interface. Above what a kernel may put into every new namespace by itself (tunl0, sit0, …). */
const firstIndex = 100;

const sharedPlan = { dns: false, prepare: [], hostNetwork: [], containerNetwork: [], cleanup: [] } as const;

const isPlain = ({ record }: Network): boolean => record.driver === "host" || record.driver === "null";

/** Of a container that nobody's names are resolved for. */
const unasked: EndpointResolver = { servers: [], ndotsSet: false };

function plainEndpoint(request: AttachRequest, network: Network, sandboxId: string): Omit<Endpoint, "link"> {
  return {
    containerId: request.containerId,
    networkId: network.id,
    endpointId: newId<"EndpointId">(),
    sandboxId,
    name: request.containerName || request.hostname,
    dnsNames: [],
    links: [],
    resolver: unasked,
    ports: [],
  };
}

/** An endpoint beside those that there are, with addresses taken for it. @throws NotFound, Forbidden, System in Docker's wording */
export function newEndpoint(
  ground: Ground,
  request: AttachRequest,
  place: AskedPlace,
  sandbox: Sandbox,
  resolver: EndpointResolver,
): Endpoint {
  const { network, asked } = place;
  const base = plainEndpoint(request, network, sandbox.id);
  if (isPlain(network)) return base;
  const open = ground.open(network);
  const addresses = open.allocate(request.containerId, addressesAsked(place));
  const first = sandbox.endpoints.length === 0;
  const endpoint: Endpoint = {
    ...base,
    dnsNames: open.zone === undefined ? [] : namesOf(request, asked),
    links: asked.Links ?? [],
    resolver,
    link: {
      ...interfaceOf(open, place, sandbox.endpoints),
      device: network.record.driver === "bridge" ? `veth${base.endpointId.slice(0, 11)}` : "",
      mac: macAsked(request, place, first) ?? macFor(addresses[4] ?? fourOf(addresses[6] ?? "")),
      ...(addresses[4] === undefined ? {} : { address: addresses[4] }),
      ...(addresses[6] === undefined ? {} : { address6: addresses[6] }),
      gatewayPriority: asked.GwPriority ?? 0,
    },
  };
  return withLinks(endpoint, open, request);
}

/** Whom the container's questions that no network answers go to. */
export async function resolverFor(ground: Ground, request: AttachRequest): Promise<EndpointResolver> {
  const options = resolverOf(request, ground.options);
  return { servers: options.dns, ndotsSet: setsNdots(await readHostResolver("embedded"), options) };
}

/** Named by the first number that no interface of the container has. */
function interfaceOf(open: OpenNetwork, place: AskedPlace, others: readonly Endpoint[]): Pick<EndpointLink, "name" | "index"> {
  const taken = new Set(others.flatMap(({ link }) => [link?.index, link?.name]));
  let number = 0;
  while (taken.has(firstIndex + number) || taken.has(`${open.options.interfacePrefix}${number}`)) number++;
  const index = open.record.driver === "bridge" ? firstIndex + number : vlanIndex();
  return { index, name: nameAsked(place) ?? `${open.options.interfacePrefix}${number}` };
}

/** Four bytes that tell IPv6 addresses apart as well as four can: its last ones. */
const fourOf = (address6: string): string => numberAddress(4, addressNumber(address6) & 0xffff_ffffn);

/** Addresses and host ports of an endpoint are free again. */
export function releaseEndpoint(ground: Ground, endpoint: Endpoint): void {
  const { link } = endpoint;
  if (link === undefined) return;
  ground.opened(endpoint.networkId)?.release({
    ...(link.address === undefined ? {} : { 4: link.address }),
    ...(link.address6 === undefined ? {} : { 6: link.address6 }),
  });
}

/** @throws NotFound, InvalidParameter, Forbidden, System in Docker's wording; then nothing is taken */
export async function attach(ground: Ground, request: AttachRequest): Promise<Attachment> {
  const asked = placesAsked(request, ground.catalogue, ground.hasBridge);
  const [first] = asked;
  if (first === undefined) return { namespace: "container", ...sharedPlan, settings: blankSettings, hosts: "", resolvConf: "" };
  const empty: Sandbox = { id: newId<"SandboxId">(), containerId: request.containerId, endpoints: [] };
  if (isPlain(first.network)) return await attachPlain(ground, request, first, empty);
  const resolver = asked.some(({ network }) => !isBuiltIn(network.name)) ? await resolverFor(ground, request) : unasked;
  let sandbox = empty;
  try {
    for (const place of asked)
      sandbox = { ...sandbox, endpoints: [...sandbox.endpoints, newEndpoint(ground, request, place, sandbox, resolver)] };
    // Nobody else gets these while host ports are looked for, and no network of them is removed.
    ground.sandboxes.hold(sandbox);
    const [hosts, resolvConf] = await filesOf(ground, request, ground.places(sandbox.endpoints));
    const arranged = await arrange(ground, request, empty, sandbox.endpoints);
    try {
      const planned = plan(ground, request, asked, arranged);
      ground.sandboxes.put(arranged.sandbox, empty);
      arranged.change.commit();
      for (const place of ground.places(arranged.sandbox.endpoints)) addNames(place);
      return { ...planned, hosts, resolvConf };
    } catch (error) {
      arranged.change.abandon();
      throw error;
    }
  } catch (error) {
    for (const endpoint of sandbox.endpoints) releaseEndpoint(ground, endpoint);
    ground.sandboxes.release(request.containerId);
    throw error;
  }
}

function plan(
  ground: Ground,
  request: AttachRequest,
  asked: readonly AskedPlace[],
  { sandbox, gateways }: Arrangement,
): Omit<Attachment, "hosts" | "resolvConf"> {
  const places = ground.places(sandbox.endpoints);
  const interfaces = places.map((place, index) => makeInterface(ground, place, asked[index]));
  const ports = portsOf(sandbox);
  const { table } = ground.host;
  return {
    namespace: "private",
    dns: places.some(({ open }) => open.zone !== undefined),
    prepare: holdPorts(ports),
    hostNetwork: [
      ...interfaces.flatMap(({ hostNetwork }) => hostNetwork),
      ...openPorts(table, ports),
      ...openLinks(table, linksOf(sandbox)),
    ],
    containerNetwork: [loopbackUp, ...interfaces.flatMap(({ containerNetwork }) => containerNetwork), ...defaultRoutes(routesOf(gateways))],
    // The pairs go with the container's namespace: deleting them here would make the end wait for the kernel's grace periods.
    cleanup: [...closePorts(table, ports), ...closeLinks(table, linksOf(sandbox))],
    settings: settingsOf(ground, request, sandbox),
  };
}

async function attachPlain(ground: Ground, request: AttachRequest, place: AskedPlace, empty: Sandbox): Promise<Attachment> {
  const sandbox = { ...empty, endpoints: [plainEndpoint(request, place.network, empty.id)] };
  const ofHost = place.network.record.driver === "host";
  const [hosts, resolvConf] = await filesOf(ground, request, [], ofHost);
  ground.sandboxes.put(sandbox);
  return {
    ...sharedPlan,
    namespace: ofHost ? "host" : "private",
    containerNetwork: ofHost ? [] : [loopbackUp],
    settings: settingsOf(ground, request, sandbox),
    hosts,
    resolvConf,
  };
}

/** What the container had is free again; its addresses are kept for it as long as there are others. Idempotent. */
export async function detach(ground: Ground, containerId: ContainerId): Promise<void> {
  const sandbox = ground.sandboxes.release(containerId);
  if (sandbox === undefined) return;
  for (const place of ground.places(sandbox.endpoints)) deleteNames(place);
  const ports = portsOf(sandbox);
  await ground.host.unpublish(ports);
  await ground.host.deny(linksOf(sandbox));
  releasePorts(ground.ports, ports);
  const kept = new Map(sandbox.endpoints.flatMap((endpoint) => keepAddresses(ground, endpoint)));
  for (const endpoint of sandbox.endpoints) releaseEndpoint(ground, endpoint);
  ground.sandboxes.end(sandbox, kept);
}

/** A container that comes back finds its addresses, also when the daemon has been restarted meanwhile. */
function keepAddresses(ground: Ground, { link, containerId, networkId }: Endpoint): [networkId: string, addresses: string[]][] {
  const addresses = [link?.address, link?.address6].filter((address) => address !== undefined);
  if (addresses.length === 0) return [];
  ground.opened(networkId)?.reserve(containerId, addresses, false);
  return [[networkId, addresses]];
}
