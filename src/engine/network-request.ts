import type { ContainerId } from "../base/base.ts";
import type { AttachRequest } from "../networks/networks.ts";
import type { ContainerConfig, EndpointSettings, HostConfig, PortBinding } from "../spec/spec.ts";

function bindingsOf(hostConfig: HostConfig): Record<string, PortBinding[]> {
  const bindings: Record<string, PortBinding[]> = {};
  // A port with no binding at all is one that the host chooses.
  for (const [port, list] of Object.entries(hostConfig.PortBindings ?? {}))
    bindings[port] = list === null || list.length === 0 ? [{}] : list;
  return bindings;
}

/** What the network is asked for, from the container's configuration. */
export function networkRequest(
  containerId: ContainerId,
  config: ContainerConfig,
  hostConfig: HostConfig,
  endpoints: Readonly<Record<string, EndpointSettings>>,
  containerName?: string,
): AttachRequest {
  const bindings = bindingsOf(hostConfig);
  return {
    containerId,
    networkMode: config.NetworkDisabled === true ? "none" : (hostConfig.NetworkMode ?? "bridge"),
    ...(containerName === undefined ? {} : { containerName }),
    hostname: config.Domainname ? `${config.Hostname ?? ""}.${config.Domainname}` : (config.Hostname ?? ""),
    endpoints,
    portBindings: bindings,
    exposedPorts: [...new Set([...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(bindings)])],
    publishAllPorts: hostConfig.PublishAllPorts ?? false,
    dns: hostConfig.Dns ?? [],
    dnsOptions: hostConfig.DnsOptions ?? [],
    dnsSearch: hostConfig.DnsSearch ?? [],
    extraHosts: hostConfig.ExtraHosts ?? [],
    ...(config.MacAddress ? { macAddress: config.MacAddress } : {}),
  };
}
