/** Which of a container's endpoints its ports are published at, and what that changes of what was published before. */
import { isEngineError, messageOf } from "../base/base.ts";
import type { PublishedPort } from "./firewall.ts";
import { gatewaysOf, type Place, portEndsOf } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import type { AttachRequest } from "./networks.ts";
import { setUpFailed } from "./open-network.ts";
import { portWishes } from "./port-bindings.ts";
import { changePorts, type PortChange } from "./port-change.ts";
import { avoiding } from "./port-probe.ts";
import { inUseFor } from "./port-taking.ts";
import type { ByFamily, Endpoint } from "./records.ts";
import { portsOf, type Sandbox } from "./sandbox.ts";

export interface Arrangement {
  /** With each endpoint's ports as they are to be. */
  readonly sandbox: Sandbox;
  readonly gateways: ByFamily<Place>;
  /** The host's ports: to be committed or abandoned. */
  readonly change: PortChange;
}

/**
 * Takes the host ports that a container with these endpoints is to have and has not; `before` has what there is.
 * @throws System in Docker's wording, when one is taken: then none is
 */
export async function arrange(
  ground: Ground,
  request: AttachRequest,
  before: Sandbox,
  endpoints: readonly Endpoint[],
): Promise<Arrangement> {
  const places = ground.places(endpoints);
  const gateways = gatewaysOf(places);
  const ends = portEndsOf(gateways, {
    relayAll: ground.options.publishMode === "input",
    direct: ground.options.allowDirectRouting ?? false,
  });
  const out = gateways[4] ?? gateways[6];
  const wishes = out === undefined ? [] : portWishes(request, ground.publishAddresses(out.open));
  let change: PortChange;
  try {
    change = await changePorts(ground.ports, portsOf(before), wishes, ends, avoiding(request.avoidedPorts, inUseFor(wishes)));
  } catch (error) {
    const name = out?.endpoint.name ?? "";
    throw isEngineError(error)
      ? error
      : setUpFailed(
          `driver failed programming external connectivity on endpoint ${name} (${out?.endpoint.endpointId}): ${messageOf(error)}`,
        );
  }
  return { sandbox: { ...before, endpoints: places.map((place) => withPorts(place, change.after)) }, gateways, change };
}

/** The endpoint itself where it has none of them, before and after. */
function withPorts({ endpoint, open }: Place, all: readonly PublishedPort[]): Endpoint {
  const { link } = endpoint;
  const ports = all.filter(
    ({ bridge, containerAddress }) =>
      bridge === open.record.bridge?.device && (containerAddress === link?.address || containerAddress === link?.address6),
  );
  const same = ports.length === endpoint.ports.length && ports.every((port, index) => port === endpoint.ports[index]);
  return same ? endpoint : { ...endpoint, ports };
}
