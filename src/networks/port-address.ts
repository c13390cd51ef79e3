/** Addresses of the host at which ports are published. */
import { createServer } from "node:net";
import { invalidParameter } from "../base/base.ts";
import { addressNumber, familyOf, numberAddress } from "./addresses.ts";
import type { NetworkOptions } from "./options.ts";

const anyAddress4 = "0.0.0.0";
const anyAddress6 = "::";

/** Of a network: `docker network create --opt`. */
const bindingOptions = ["com.docker.network.bridge.host_binding_ipv4", "com.docker.network.bridge.host_binding_ipv6"] as const;

export const isAnyAddress = (address: string): boolean => address === anyAddress4 || address === anyAddress6;

const mappedPrefix = 0xffffn;

/** One spelling for each address; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is one of IPv4. @throws InvalidParameter */
export function parseHostAddress(text: string): string {
  const family = familyOf(text);
  if (family === undefined || text.includes("%")) throw invalidParameter(`invalid IP address: ${text}`);
  if (family === 4) return text;
  const value = addressNumber(text);
  return value >> 32n === mappedPrefix ? numberAddress(4, value & 0xffff_ffffn) : numberAddress(6, value);
}

/**
 * Where ports are published that name no address, IPv4 first. The nearest of: the network's options (Docker takes an IPv6
 * address in `host_binding_ipv4`, too), `--ip` for the default bridge, `--default-publish-address`. 0.0.0.0 means both
 * families, where the host has both; any other address means itself alone.
 * @throws InvalidParameter
 */
export function publishAddresses(
  daemon: Pick<NetworkOptions, "publishAddress" | "defaultPublishAddress">,
  network: { readonly isDefault: boolean; readonly options: Readonly<Record<string, string>> },
  hostHasIpv6: boolean,
): readonly string[] {
  const own = bindingOptions.map((key) => network.options[key] ?? "").filter((text) => text !== "");
  const ofDaemon = (network.isDefault ? daemon.publishAddress : undefined) || daemon.defaultPublishAddress || anyAddress4;
  const addresses = [...new Set((own.length > 0 ? own : ofDaemon.split(",")).map((text) => parseHostAddress(text.trim())))];
  if (addresses.length === 1 && addresses[0] === anyAddress4 && hostHasIpv6) return [anyAddress4, anyAddress6];
  return addresses.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}

/** Whether a program of the host can listen at ::1. */
export function hostHasIpv6(): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ host: "::1", port: 0 }, () => server.close(() => done(true)));
  });
}
