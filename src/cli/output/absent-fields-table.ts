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
  "Config.ExposedPorts": {},
  "Config.Healthcheck": null,
  "Config.ArgsEscaped": false,
  "Config.StopSignal": "",
  "Config.StopTimeout": null,
  "Config.Shell": [],
  "Config.OnBuild": [],
  "Config.Volumes": {},
};
