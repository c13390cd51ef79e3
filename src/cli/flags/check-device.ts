import { parseBytes } from "../../base/units.ts";

/** `PATH[:PATH][:rwm]`. @throws Error with Docker's wording */
export function checkDevice(value: string): string {
  const parts = value.split(":");
  const [source = "", target = source, mode] = parts;
  const bad = (): Error => new Error(`bad format for path: ${value}`);
  if (value === "" || parts.length > 3) throw bad();
  const isMode = (text: string): boolean => /^(?!.*(.).*\1)[rwm]+$/.test(text);
  if (parts.length === 3 && (mode === undefined || !isMode(mode))) throw new Error(`bad mode specified: ${mode}`);
  if (/^[^/]+\/[^/=]+=.+$/.test(value)) return value; // A name of the Container Device Interface.
  if (!source.startsWith("/")) throw new Error(`${source} is not an absolute path`);
  if (parts.length >= 2 && !isMode(target) && !target.startsWith("/")) throw new Error(`${target} is not an absolute path`);
  return value;
}

export function checkDeviceRule(value: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)) throw new Error(`invalid device cgroup format '${value}'`);
  return value;
}

function devicePart(value: string, shape: string): [string, string] {
  const parts = value.split(":");
  if (parts.length !== 2) throw new Error(`bad format: ${value}`);
  const [path = "", amount = ""] = parts;
  if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${value}`);
  if (amount === "") throw new Error(`invalid ${shape} for device: ${value}`);
  return [path, amount];
}

/** `PATH:RATE`, the rate in bytes per second with a unit. */
export function checkThrottleBps(value: string): string {
  const [path, amount] = devicePart(value, "rate");
  try {
    return `${path}:${parseBytes(amount)}`;
  } catch {
    throw new Error(
      `invalid rate for device: ${value}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
    );
  }
}

export function checkThrottleIops(value: string): string {
  const [, amount] = devicePart(value, "rate");
  if (!/^\d+$/.test(amount))
    throw new Error(`invalid rate for device: ${value}. The correct format is <device-path>:<number>. Number must be a positive integer`);
  return value;
}

export function checkWeightDevice(value: string): string {
  const [, amount] = devicePart(value, "weight");
  const weight = Number(amount);
  if (!/^\d+$/.test(amount) || (weight > 0 && (weight < 10 || weight > 1000))) throw new Error(`invalid weight for device: ${value}`);
  return value;
}
