import { EngineError, errnoText } from "../base/base.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import type { NetworkSettings } from "../spec/spec.ts";

/** `0.0.0.0:8080` or `[::]:8080/tcp`, as the monitor names a port that it could not hold. */
export const hostPort: RegExp = /^\[?([^\]]*?)\]?:(\d+)(?:\/(\w+))?$/;

const inBrackets = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** The container's end of a published port: `172.17.0.2:80/tcp`. */
function endOf(host: string, port: string, protocol: string | undefined, settings: NetworkSettings): string | undefined {
  const found = Object.entries(settings.Ports ?? {}).find(
    ([key, bindings]) =>
      (protocol === undefined || key.endsWith(`/${protocol}`)) &&
      bindings?.some((binding) => binding.HostIp === host && binding.HostPort === port),
  );
  const { IPAddress = "", GlobalIPv6Address = "" } = endpointOf(settings) ?? {};
  const address = (host.includes(":") ? GlobalIPv6Address || IPAddress : IPAddress || GlobalIPv6Address) ?? "";
  return found === undefined ? undefined : `${inBrackets(address)}:${found[0]}`;
}

/** The one that ports are published for: it has the default gateway. */
function endpointOf(settings: NetworkSettings) {
  const endpoints = Object.values(settings.Networks ?? {});
  return endpoints.find((endpoint) => endpoint.Gateway || endpoint.IPv6Gateway) ?? endpoints[0];
}

/** That a port of the host could not be held, in Docker's words; other errors as they are. `settings`: with that port. */
export function explainPort(error: unknown, name: string, settings: NetworkSettings): unknown {
  const failure = launchFailureOf(error);
  if (failure?.stage !== "bind-port") return error;
  const [, host = "", port = "", protocol] = hostPort.exec(failure.message) ?? [];
  const end = endOf(host, port, protocol, settings);
  const what = end === undefined ? failure.message : `${inBrackets(host)}:${port}:${end}`;
  return new EngineError(
    "System",
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${name} ` +
      `(${endpointOf(settings)?.EndpointID ?? ""}): failed to bind host port for ${what}: ${errnoText(failure.errno)}`,
  );
}
