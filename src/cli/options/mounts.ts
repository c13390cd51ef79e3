import { resolve } from "node:path";
import { parseBytes } from "../../base/units.ts";
import type { Mount } from "../../spec/spec.ts";
import { csvFields } from "./csv.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const boolean = (key: string, value: string | undefined): boolean => {
  if (value === undefined || /^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
};

function size(key: string, value: string): number {
  try {
    return parseBytes(value);
  } catch {
    throw new Error(`invalid value for ${key}: ${value}`);
  }
}

const nameAndValue = (text: string): [string, string] => {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
};

function bindRecursive(mount: Mount, value: string): void {
  mount.BindOptions ??= {};
  const options = mount.BindOptions;
  switch (value) {
    case "enabled":
      return;
    case "disabled":
      options.NonRecursive = true;
      return;
    case "writable":
      options.ReadOnlyNonRecursive = true;
      return;
    case "readonly":
      options.ReadOnlyForceRecursive = true;
      return;
    default:
      throw new Error(`invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
  }
}

/** Fields that belong to one type of mount. Returns false for an unknown key. */
function typedField(mount: Mount, key: string, value: string): boolean {
  switch (key) {
    case "bind-propagation":
      mount.BindOptions ??= {};
      mount.BindOptions.Propagation = value.toLowerCase() as "rprivate";
      return true;
    case "bind-recursive":
      bindRecursive(mount, value);
      return true;
    case "bind-create-src":
      mount.BindOptions ??= {};
      mount.BindOptions.CreateMountpoint = boolean(key, value);
      return true;
    case "volume-subpath":
      volumeOptions(mount).Subpath = value;
      return true;
    case "volume-label": {
      const [name, text] = nameAndValue(value);
      const options = volumeOptions(mount);
      options.Labels = { ...options.Labels, [name]: text };
      return true;
    }
    case "volume-driver": {
      const options = volumeOptions(mount);
      options.DriverConfig = { ...options.DriverConfig, Name: value };
      return true;
    }
    case "volume-opt": {
      const [name, text] = nameAndValue(value);
      const options = volumeOptions(mount);
      const driver = options.DriverConfig;
      options.DriverConfig = { ...driver, Options: { ...driver.Options, [name]: text } };
      return true;
    }
    case "image-subpath":
      mount.ImageOptions = { Subpath: value };
      return true;
    case "tmpfs-size":
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size(key, value) };
      return true;
    case "tmpfs-mode":
      if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return true;
    default:
      return false;
  }
}

type VolumeOptions = NonNullable<Mount["VolumeOptions"]>;

/** Docker sends a driver with them, be it one without a name. */
function volumeOptions(mount: Writable<Mount>): VolumeOptions & Required<Pick<VolumeOptions, "DriverConfig">> {
  const options = { ...mount.VolumeOptions, DriverConfig: mount.VolumeOptions?.DriverConfig ?? {} };
  mount.VolumeOptions = options;
  return options;
}

function field(mount: Writable<Mount>, text: string): void {
  const equals = text.indexOf("=");
  const key = (equals < 0 ? text : text.slice(0, equals)).toLowerCase();
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  if (value === undefined) {
    if (key === "readonly" || key === "ro") mount.ReadOnly = true;
    else if (key === "volume-nocopy") volumeOptions(mount).NoCopy = true;
    else if (key === "bind-nonrecursive") mount.BindOptions = { ...mount.BindOptions, NonRecursive: true };
    else throw new Error(`invalid field '${text}' must be a key=value pair`);
    return;
  }
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase() as "bind";
      return;
    case "source":
    case "src":
      mount.Source = value === "." || value.startsWith("./") || value.startsWith("../") || value === ".." ? resolve(value) : value;
      return;
    case "target":
    case "dst":
    case "destination":
      mount.Target = value;
      return;
    case "readonly":
    case "ro":
      mount.ReadOnly = boolean(key, value);
      return;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      return;
    case "volume-nocopy":
      volumeOptions(mount).NoCopy = boolean(key, value);
      return;
    case "bind-nonrecursive":
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: boolean(key, value) };
      return;
    default:
      if (!typedField(mount, key, value)) throw new Error(`unexpected key '${key}' in '${text}'`);
  }
}

function checkTyped(mount: Mount): void {
  const type = mount.Type ?? "volume";
  const owners = [
    ["BindOptions", "bind"],
    ["VolumeOptions", "volume"],
    ["ImageOptions", "image"],
    ["TmpfsOptions", "tmpfs"],
  ] as const;
  for (const [options, owner] of owners)
    if (mount[options] !== undefined && type !== owner) throw new Error(`cannot mix '${owner}-*' options with mount type '${type}'`);
  const { BindOptions: bind } = mount;
  if (bind?.ReadOnlyNonRecursive === true && mount.ReadOnly !== true)
    throw new Error("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  if (bind?.ReadOnlyForceRecursive === true) {
    if (mount.ReadOnly !== true) throw new Error("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    if (bind.Propagation !== "rprivate")
      throw new Error("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction");
  }
}

/** A mount as `--mount` describes it. @throws Error with Docker's wording */
export function parseMount(text: string): Mount {
  const mount: Mount = { Type: "volume" };
  for (const one of csvFields(text)) field(mount, one);
  if (mount.Type === undefined) throw new Error("type is required");
  if ((mount.Target ?? "") === "") throw new Error("target is required");
  checkTyped(mount);
  return mount;
}

export function checkMount(text: string): string {
  parseMount(text);
  return text;
}
