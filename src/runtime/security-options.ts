/** `--security-opt` in Docker's grammar. */
import { invalidParameter } from "../base/base.ts";
import type { HostConfig } from "../spec/spec.ts";

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or a profile as JSON text. */
  readonly seccomp: string;
  /** undefined: the daemon's default. */
  readonly apparmor?: string;
  /** user, role, type, level, or `disable`. */
  readonly labels: readonly string[];
  readonly systemPathsUnconfined: boolean;
  readonly writableCgroups: boolean;
}

function flag(option: string, value: string): boolean {
  if (value === "" || value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw invalidParameter(`invalid --security-opt 2: ${JSON.stringify(option)}`);
}

/** @throws InvalidParameter for an option that there is not */
export function securityOptions(hostConfig: HostConfig, defaults: { noNewPrivileges: boolean }): SecurityOptions {
  const result: { -readonly [Key in keyof SecurityOptions]: SecurityOptions[Key] } & { labels: string[] } = {
    noNewPrivileges: defaults.noNewPrivileges,
    seccomp: "default",
    labels: [],
    systemPathsUnconfined: false,
    writableCgroups: false,
  };
  for (const option of hostConfig.SecurityOpt ?? []) {
    // `key=value`, or the older `key:value`.
    const match = /^([^=:]+)(?:[=:](.*))?$/s.exec(option);
    const [, key = "", value] = match ?? [];
    switch (key) {
      case "no-new-privileges":
        result.noNewPrivileges = flag(option, value ?? "");
        break;
      case "writable-cgroups":
        result.writableCgroups = flag(option, value ?? "");
        break;
      case "disable":
        result.labels.push("disable");
        break;
      case "seccomp":
        if (value === undefined || value === "") throw invalidParameter(`invalid --security-opt 1: ${JSON.stringify(option)}`);
        result.seccomp = value === "builtin" ? "default" : value;
        break;
      case "apparmor":
        if (value === undefined) throw invalidParameter(`invalid --security-opt 1: ${JSON.stringify(option)}`);
        result.apparmor = value;
        break;
      case "label":
        if (value === undefined) throw invalidParameter(`invalid --security-opt 1: ${JSON.stringify(option)}`);
        result.labels.push(value);
        break;
      case "systempaths":
        if (value !== "unconfined") throw invalidParameter(`invalid --security-opt 2: ${JSON.stringify(option)}`);
        result.systemPathsUnconfined = true;
        break;
      default:
        throw invalidParameter(`invalid --security-opt ${value === undefined ? 1 : 2}: ${JSON.stringify(option)}`);
    }
  }
  return result;
}
