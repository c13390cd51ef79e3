import { formatNanos } from "../base/base.ts";
import { blankEndpoint, blankSettings } from "../networks/networks.ts";
import type { ContainerInspectResponse, EndpointSettings, NetworkSettings } from "../spec/spec.ts";
import type { ContainerRecord } from "./record.ts";
import { isActive, toDockerState } from "./state.ts";

/** The container's networks: as given while it runs, else those that it will have. */
export function networksOf(record: ContainerRecord): Record<string, EndpointSettings> {
  if (isActive(record.status.state) && record.status.network?.Networks !== undefined) return record.status.network.Networks;
  // Which network it was, and under which names, is known also after the end.
  const blank = (name: string, asked: EndpointSettings): EndpointSettings => {
    const { NetworkID = "", DNSNames = null } = record.status.network?.Networks?.[name] ?? {};
    return { ...blankEndpoint(asked), NetworkID, DNSNames } as EndpointSettings;
  };
  const asked = Object.entries(record.settings.endpoints).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(asked.map(([name, endpoint]) => [name, blank(name, endpoint)]));
}

export interface InspectOptions {
  /** `<data-root>/containers/<id>`. */
  readonly statePath: string;
  readonly logPath: string;
  /** `/child:/parent/alias` each, or null. */
  readonly links: readonly string[] | null;
  /** Sessions that were made and have not ended, or null. */
  readonly execIds: readonly string[] | null;
  readonly lower: readonly string[];
  readonly appArmorProfile: string;
  readonly sizes?: { readonly rw: number; readonly rootFs: number };
}

/** `GET /containers/x/json`, in Docker's field order. */
export function inspectContainer(record: ContainerRecord, options: InspectOptions): ContainerInspectResponse {
  const { settings, status } = record;
  const { statePath } = options;
  const files = status.everStarted;
  const { SandboxID = "" } = status.network ?? {};
  // The namespace is reached through the container's first process: as long as that is there.
  const network: NetworkSettings = isActive(status.state)
    ? { ...status.network, ...(SandboxID === "" ? {} : { SandboxKey: `/proc/${status.state.pid}/ns/net` }) }
    : { SandboxID };
  const answer = {
    Id: record.id,
    Created: formatNanos(record.createdNanos),
    Path: settings.path,
    Args: settings.args,
    State: { ...toDockerState(status.state), ...(status.health === undefined ? {} : { Health: status.health }) },
    Image: settings.imageId,
    ResolvConfPath: files ? `${statePath}/resolv.conf` : "",
    HostnamePath: files ? `${statePath}/hostname` : "",
    HostsPath: files ? `${statePath}/hosts` : "",
    LogPath: files ? options.logPath : "",
    Name: `/${record.name}`,
    RestartCount: status.restartCount,
    Driver: settings.driver,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: options.appArmorProfile,
    ExecIDs: options.execIds,
    HostConfig: options.links === null ? settings.hostConfig : { ...settings.hostConfig, Links: options.links },
    GraphDriver: {
      Data: {
        ID: record.id,
        LowerDir: options.lower.join(":"),
        MergedDir: `${statePath}/merged`,
        UpperDir: `${statePath}/upper`,
        WorkDir: `${statePath}/work`,
      },
      Name: settings.driver,
    },
    ...(options.sizes === undefined ? {} : { SizeRw: options.sizes.rw, SizeRootFs: options.sizes.rootFs }),
    Mounts: settings.mountPoints,
    Config: settings.config,
    NetworkSettings: { ...blankSettings, ...network, Networks: networksOf(record) },
  };
  return answer as unknown as ContainerInspectResponse;
}
