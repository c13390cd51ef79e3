/** The administrator's settings as each room takes them: a setting that was not made is left out. */
import type { DistributionSettings } from "../distribution/distribution.ts";
import type { EngineOptions } from "../engine/engine.ts";
import type { NetworkOptions } from "../networks/open.ts";
import type { RuntimeOptions } from "../runtime/runtime.ts";
import type { Settings } from "./settings.ts";

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Leaves out what is undefined. */
function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}

export function networkOptions({ network }: Settings): NetworkOptions {
  const pools = network.addressPools.map(({ Base, Size }) => `base=${Base},size=${Size}`);
  return given({
    bridge: network.bridge,
    bip: network.bip,
    fixedCidr: network.fixedCidr,
    defaultGateway: network.defaultGateway,
    mtu: network.mtu,
    defaultAddressPools: pools.length === 0 ? undefined : pools,
    defaultNetworkOptions: network.defaultNetworkOptions,
    ipv6: network.ipv6,
    bip6: network.bip6,
    fixedCidrV6: network.fixedCidrV6,
    defaultGatewayV6: network.defaultGatewayV6,
    icc: network.icc,
    allowDirectRouting: network.allowDirectRouting,
    ipForward: network.ipForward,
    ipMasq: network.ipMasq,
    publishAddress: network.publishAddress,
    defaultPublishAddress: network.defaultPublishAddress,
    publishMode: network.publishMode,
    hostGateways: network.hostGateways,
    dns: network.dns,
    dnsOptions: network.dnsOptions,
    dnsSearch: network.dnsSearch,
  });
}

export function runtimeOptions({ cgroupParent, containers }: Settings): RuntimeOptions {
  return given({
    cgroupParent,
    init: containers.init,
    shmSizeBytes: containers.shmSizeBytes,
    noNewPrivileges: containers.noNewPrivileges,
    pidsLimit: containers.pidsLimit,
    realtimePeriod: containers.realtimePeriod,
    realtimeRuntime: containers.realtimeRuntime,
    cgroupNamespace: containers.cgroupNamespace,
    ulimits: containers.ulimits,
  });
}

export function engineOptions({ logDriver, logOptions, containers }: Settings): EngineOptions {
  return given({ logDriver, logOptions, shmSizeBytes: containers.shmSizeBytes });
}

export function distributionSettings(settings: Settings): DistributionSettings {
  const { registryMirrors, mirrors, insecureRegistries, tokenServers, transfers, proxies } = settings;
  return { registryMirrors, mirrors, insecureRegistries, tokenServers, ...transfers, proxies: given(proxies) };
}
