/** What is shown of a sandbox, as of now. */
import type { NetworkSettings } from "../spec/spec.ts";
import { gatewaysOf } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import type { AttachRequest } from "./networks.ts";
import { portSettings } from "./port-settings.ts";
import { families } from "./records.ts";
import { networkMeant } from "./request.ts";
import { portsOf, type Sandbox } from "./sandbox.ts";
import { containerSettings, type ShownEndpoint } from "./settings.ts";

export function settingsOf(ground: Ground, request: AttachRequest, sandbox: Sandbox): NetworkSettings {
  const asked = askedByNetwork(ground, request);
  const shown = sandbox.endpoints.flatMap((endpoint): ShownEndpoint[] => {
    const network = ground.catalogue.get(endpoint.networkId);
    if (network === undefined) return [];
    const open = ground.opened(endpoint.networkId);
    const place = open === undefined || endpoint.link === undefined ? {} : { place: { open, endpoint } };
    return [{ network, endpoint, asked: asked.get(network.id) ?? {}, ...place }];
  });
  // Exposed ports are those of the bridge that leads elsewhere: without one, Docker has none to show.
  const gateways = gatewaysOf(shown.flatMap(({ place }) => place ?? []));
  const leadsOut = families.some((family) => gateways[family]?.open.record.driver === "bridge");
  return containerSettings(sandbox.id, shown, leadsOut ? portSettings(portsOf(sandbox), request.exposedPorts) : {});
}

function askedByNetwork(ground: Ground, request: AttachRequest): Map<string, AttachRequest["endpoints"][string]> {
  return new Map(
    Object.entries(request.endpoints).map(([name, asked]) => [networkMeant(ground.catalogue, name, ground.hasBridge).id, asked ?? {}]),
  );
}
