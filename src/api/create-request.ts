import { invalidParameter } from "../base/base.ts";
import type { ContainerCreateRequest, HostConfig } from "../spec/spec.ts";
import { mountForVersion } from "./mounts-for-version.ts";
import { networkingForVersion } from "./networking-for-version.ts";
import { fitFields } from "./request-shape.ts";
import { createShape } from "./request-shapes-table.ts";

export interface CreateRequest {
  readonly request: ContainerCreateRequest;
  readonly warnings: readonly string[];
}

/** What dockerd does with fields that a client of that version cannot have meant. */
function hostConfigFor(given: HostConfig, minor: number): HostConfig {
  const config: Record<string, unknown> = { ...given };
  if (minor < 40 && !config["IpcMode"]) config["IpcMode"] = "shareable";
  if (minor < 41 && !config["CgroupnsMode"]) config["CgroupnsMode"] = "host";
  if (minor < 43) delete config["Annotations"];
  if (minor < 42) delete config["ConsoleSize"];
  // None and unlimited are the same.
  const pids = config["PidsLimit"];
  if (minor < 40 || (typeof pids === "number" && pids <= 0)) delete config["PidsLimit"];
  if (given.Mounts) config["Mounts"] = given.Mounts.map((mount) => mountForVersion(mount, minor));
  return config as HostConfig;
}

/**
 * The body of `POST /containers/create`, and what to warn of.
 * @throws InvalidParameter when there is none, or a field has the wrong type
 */
export function createRequest(body: Record<string, unknown> | undefined, minor: number): CreateRequest {
  if (body === undefined) throw invalidParameter("config cannot be empty in order to create a container");
  const request = fitFields(body, createShape, "CreateRequest") as unknown as ContainerCreateRequest;
  if (minor < 44 && request.Healthcheck) delete request.Healthcheck.StartInterval;
  const { request: networked, warnings } = networkingForVersion(request, minor);
  return { request: { ...networked, HostConfig: hostConfigFor(request.HostConfig ?? {}, minor) }, warnings };
}
