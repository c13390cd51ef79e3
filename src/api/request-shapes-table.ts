/** The bodies of requests, field by field, as Docker's API 1.51 has them. */
import type { Fields, Shape } from "./request-shape.ts";

const texts: Shape = { list: "string" };
const textMap: Shape = { map: "string" };

const rates: Shape = { list: { fields: { Path: "string", Rate: "integer" } } };

const mount: Fields = {
  fields: {
    Type: "string",
    Source: "string",
    Target: "string",
    ReadOnly: "bool",
    Consistency: "string",
    BindOptions: {
      fields: {
        Propagation: "string",
        NonRecursive: "bool",
        CreateMountpoint: "bool",
        ReadOnlyNonRecursive: "bool",
        ReadOnlyForceRecursive: "bool",
      },
    },
    VolumeOptions: {
      fields: { NoCopy: "bool", Labels: textMap, Subpath: "string", DriverConfig: { fields: { Name: "string", Options: textMap } } },
    },
    ImageOptions: { fields: { Subpath: "string" } },
    TmpfsOptions: { fields: { SizeBytes: "integer", Mode: "integer", Options: { list: texts } } },
  },
};

const resources: Readonly<Record<string, Shape>> = {
  CpuShares: "integer",
  Memory: "integer",
  NanoCpus: "integer",
  CgroupParent: "string",
  BlkioWeight: "integer",
  BlkioWeightDevice: { list: { fields: { Path: "string", Weight: "integer" } } },
  BlkioDeviceReadBps: rates,
  BlkioDeviceWriteBps: rates,
  BlkioDeviceReadIOps: rates,
  BlkioDeviceWriteIOps: rates,
  CpuPeriod: "integer",
  CpuQuota: "integer",
  CpuRealtimePeriod: "integer",
  CpuRealtimeRuntime: "integer",
  CpusetCpus: "string",
  CpusetMems: "string",
  Devices: { list: { fields: { PathOnHost: "string", PathInContainer: "string", CgroupPermissions: "string" } } },
  DeviceCgroupRules: texts,
  DeviceRequests: {
    list: { fields: { Driver: "string", Count: "integer", DeviceIDs: texts, Capabilities: { list: texts }, Options: textMap } },
  },
  KernelMemory: "integer",
  KernelMemoryTCP: "integer",
  MemoryReservation: "integer",
  MemorySwap: "integer",
  MemorySwappiness: "integer",
  OomKillDisable: "bool",
  PidsLimit: "integer",
  Ulimits: { list: { fields: { Name: "string", Soft: "integer", Hard: "integer" } } },
  CpuCount: "integer",
  CpuPercent: "integer",
  IOMaximumIOps: "integer",
  IOMaximumBandwidth: "integer",
};

const restartPolicy: Fields = { fields: { Name: "string", MaximumRetryCount: "integer" } };

const portBindings: Shape = { map: { list: { fields: { HostIp: "string", HostPort: "string" } } } };

/** The last two are Berth's own. */
export const updateShape: Fields = {
  fields: { ...resources, RestartPolicy: restartPolicy, PortBindings: portBindings, PublishAllPorts: "bool" },
};

const hostConfig: Fields = {
  fields: {
    ...resources,
    Binds: texts,
    ContainerIDFile: "string",
    LogConfig: { fields: { Type: "string", Config: textMap } },
    NetworkMode: "string",
    PortBindings: portBindings,
    RestartPolicy: restartPolicy,
    AutoRemove: "bool",
    VolumeDriver: "string",
    VolumesFrom: texts,
    ConsoleSize: { list: "integer" },
    Annotations: textMap,
    CapAdd: "words",
    CapDrop: "words",
    CgroupnsMode: "string",
    Dns: texts,
    DnsOptions: texts,
    DnsSearch: texts,
    ExtraHosts: texts,
    GroupAdd: texts,
    IpcMode: "string",
    Cgroup: "string",
    Links: texts,
    OomScoreAdj: "integer",
    PidMode: "string",
    Privileged: "bool",
    PublishAllPorts: "bool",
    ReadonlyRootfs: "bool",
    SecurityOpt: texts,
    StorageOpt: textMap,
    Tmpfs: textMap,
    UTSMode: "string",
    UsernsMode: "string",
    ShmSize: "integer",
    Sysctls: textMap,
    Runtime: "string",
    Isolation: "string",
    Mounts: { list: mount },
    MaskedPaths: texts,
    ReadonlyPaths: texts,
    Init: "bool",
  },
};

const endpoint: Fields = {
  fields: {
    IPAMConfig: { fields: { IPv4Address: "string", IPv6Address: "string", LinkLocalIPs: texts } },
    Links: texts,
    Aliases: texts,
    MacAddress: "string",
    DriverOpts: textMap,
    GwPriority: "integer",
    NetworkID: "string",
    EndpointID: "string",
    Gateway: "string",
    IPAddress: "string",
    IPPrefixLen: "integer",
    IPv6Gateway: "string",
    GlobalIPv6Address: "string",
    GlobalIPv6PrefixLen: "integer",
    DNSNames: texts,
  },
};

export const networkCreateShape: Fields = {
  fields: {
    Name: "string",
    CheckDuplicate: "bool",
    Driver: "string",
    Scope: "string",
    EnableIPv4: "bool",
    EnableIPv6: "bool",
    IPAM: {
      fields: {
        Driver: "string",
        Options: textMap,
        Config: { list: { fields: { Subnet: "string", IPRange: "string", Gateway: "string", AuxiliaryAddresses: textMap } } },
      },
    },
    Internal: "bool",
    Attachable: "bool",
    Ingress: "bool",
    ConfigOnly: "bool",
    ConfigFrom: { fields: { Network: "string" } },
    Options: textMap,
    Labels: textMap,
  },
};

export const connectShape: Fields = { fields: { Container: "string", EndpointConfig: endpoint } };

export const disconnectShape: Fields = { fields: { Container: "string", Force: "bool" } };

export const createShape: Fields = {
  fields: {
    Hostname: "string",
    Domainname: "string",
    User: "string",
    AttachStdin: "bool",
    AttachStdout: "bool",
    AttachStderr: "bool",
    ExposedPorts: { map: "empty" },
    Tty: "bool",
    OpenStdin: "bool",
    StdinOnce: "bool",
    Env: texts,
    Cmd: "words",
    Healthcheck: {
      fields: {
        Test: texts,
        Interval: "integer",
        Timeout: "integer",
        StartPeriod: "integer",
        StartInterval: "integer",
        Retries: "integer",
      },
    },
    ArgsEscaped: "bool",
    Image: "string",
    Volumes: { map: "empty" },
    WorkingDir: "string",
    Entrypoint: "words",
    NetworkDisabled: "bool",
    MacAddress: "string",
    OnBuild: texts,
    Labels: textMap,
    StopSignal: "string",
    StopTimeout: "integer",
    Shell: "words",
    HostConfig: hostConfig,
    NetworkingConfig: { fields: { EndpointsConfig: { map: endpoint } } },
  },
};

export const volumeCreateShape: Fields = {
  fields: { Name: "string", Driver: "string", DriverOpts: textMap, Labels: textMap, ClusterVolumeSpec: { fields: {} } },
};

export const execShape: Fields = {
  fields: {
    User: "string",
    Privileged: "bool",
    Tty: "bool",
    ConsoleSize: { list: "integer" },
    AttachStdin: "bool",
    AttachStdout: "bool",
    AttachStderr: "bool",
    DetachKeys: "string",
    Env: texts,
    WorkingDir: "string",
    Cmd: "words",
  },
};

export const execStartShape: Fields = { fields: { Detach: "bool", Tty: "bool", ConsoleSize: { list: "integer" } } };
