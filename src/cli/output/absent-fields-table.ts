/**
 * Fields of Docker's typed answers that a JSON document leaves out when they are empty, with the value that
 * Go gives them: a template that reads them prints that instead of failing. Source: the API's definition,
 * fields marked as omitted when empty.
 */
export const absentContainerFields: Readonly<Record<string, unknown>> = {
  SizeRw: null,
  SizeRootFs: null,
  ImageManifestDescriptor: null,
  "State.Health": null,
  "Config.ExposedPorts": {},
  "Config.Healthcheck": null,
  "Config.ArgsEscaped": false,
  "Config.NetworkDisabled": false,
  "Config.MacAddress": "",
  "Config.StopSignal": "",
  "Config.StopTimeout": null,
  "Config.Shell": [],
  "HostConfig.Annotations": {},
  "HostConfig.StorageOpt": {},
  "HostConfig.Tmpfs": {},
  "HostConfig.Sysctls": {},
  "HostConfig.Runtime": "",
  "HostConfig.Mounts": [],
  "HostConfig.Init": null,
  "HostConfig.KernelMemory": 0,
  "HostConfig.KernelMemoryTCP": 0,
  "HostConfig.ConsoleSize": [0, 0],
  "HostConfig.MaskedPaths": [],
  "HostConfig.ReadonlyPaths": [],
};

export const absentImageFields: Readonly<Record<string, unknown>> = {
  Descriptor: null,
  Manifests: [],
  Container: "",
  ContainerConfig: null,
  Variant: "",
  OsVersion: "",
  VirtualSize: 0,
  "Config.User": "",
  "Config.Env": [],
  "Config.Entrypoint": [],
  "Config.Cmd": [],
  "Config.WorkingDir": "",
  "Config.Labels": {},
  "Config.ExposedPorts": {},
  "Config.Healthcheck": null,
  "Config.ArgsEscaped": false,
  "Config.StopSignal": "",
  "Config.Shell": [],
  "Config.OnBuild": [],
  "Config.Volumes": {},
};

/** What Docker's type of an image's configuration has, in its order. */
export const imageConfigFields: readonly string[] =
  "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ArgsEscaped Healthcheck OnBuild Shell".split(" ");

/** Of versions and of `info`. */
export const goFieldNames: readonly (readonly [field: string, name: string])[] = [
  ["ApiVersion", "APIVersion"],
  ["CpuCfsPeriod", "CPUCfsPeriod"],
  ["CpuCfsQuota", "CPUCfsQuota"],
  ["HttpProxy", "HTTPProxy"],
  ["HttpsProxy", "HTTPSProxy"],
  ["NodeVersion", "GoVersion"],
];

export const absentVolumeFields: Readonly<Record<string, unknown>> = { ClusterVolume: null, CreatedAt: "", Status: {}, UsageData: null };

export const absentNetworkFields: Readonly<Record<string, unknown>> = { Peers: [], Services: {} };

type StructField = readonly [name: string, json: string, empty: unknown];

const plain = (names: string): StructField[] => names.split(" ").map((name) => [name, name, ""] as const);
const binding: readonly StructField[] = [
  ["HostIP", "HostIp", ""],
  ["HostPort", "HostPort", ""],
];

/** Structs that templates print as a whole, by path: each field's name in Go and in JSON, and its value when it is left out. */
export const goStructFields: Readonly<Record<string, readonly StructField[]>> = {
  IPAM: plain("Driver Options Config"),
  "IPAM.Config.*": [...plain("Subnet IPRange Gateway"), ["AuxAddress", "AuxiliaryAddresses", "map"]],
  "Containers.*": plain("Name EndpointID MacAddress IPv4Address IPv6Address"),
  ConfigFrom: plain("Network"),
  "HostConfig.PortBindings.*.*": binding,
  "NetworkSettings.Ports.*.*": binding,
};

/** Maps of the answers, by path. */
export const goMapFields: ReadonlySet<string> = new Set([
  "Labels",
  "Options",
  "Containers",
  "IPAM.Options",
  "IPAM.Config.*.AuxiliaryAddresses",
  "Config.Labels",
  "Config.Volumes",
  "Config.ExposedPorts",
  "ContainerConfig.Labels",
  "GraphDriver.Data",
  "HostConfig.Annotations",
  "HostConfig.LogConfig.Config",
  "HostConfig.PortBindings",
  "HostConfig.StorageOpt",
  "HostConfig.Sysctls",
  "HostConfig.Tmpfs",
  "NetworkSettings.Networks",
  "NetworkSettings.Networks.*.DriverOpts",
  "NetworkSettings.Ports",
]);

/** Lists of the answers that may be null, by path. */
export const goLists: ReadonlySet<string> = new Set([
  "Args",
  "ExecIDs",
  "Mounts",
  "RepoDigests",
  "RepoTags",
  "Config.Cmd",
  "Config.Entrypoint",
  "Config.Env",
  "Config.OnBuild",
  "Config.Shell",
  "HostConfig.Binds",
  "HostConfig.BlkioDeviceReadBps",
  "HostConfig.BlkioDeviceReadIOps",
  "HostConfig.BlkioDeviceWriteBps",
  "HostConfig.BlkioDeviceWriteIOps",
  "HostConfig.BlkioWeightDevice",
  "HostConfig.CapAdd",
  "HostConfig.CapDrop",
  "HostConfig.DeviceCgroupRules",
  "HostConfig.DeviceRequests",
  "HostConfig.Devices",
  "HostConfig.Dns",
  "HostConfig.DnsOptions",
  "HostConfig.DnsSearch",
  "HostConfig.ExtraHosts",
  "HostConfig.GroupAdd",
  "HostConfig.Links",
  "HostConfig.MaskedPaths",
  "HostConfig.Mounts",
  "HostConfig.ReadonlyPaths",
  "HostConfig.SecurityOpt",
  "HostConfig.Ulimits",
  "HostConfig.VolumesFrom",
  "NetworkSettings.SecondaryIPAddresses",
  "NetworkSettings.SecondaryIPv6Addresses",
  "IPAM.Config",
  "NetworkSettings.Networks.*.Aliases",
  "NetworkSettings.Networks.*.DNSNames",
  "NetworkSettings.Networks.*.Links",
  "NetworkSettings.Ports.*",
  "RootFS.Layers",
]);
