import type { EndpointSettings } from "../../spec/spec.ts";
import { csvFields } from "./csv.ts";

/** One `--network`: the network's name and what the advanced form says of the endpoint. */
export interface NetworkAttachment {
  target: string;
  aliases: string[];
  links: string[];
  driverOptions: Record<string, string>;
  ipv4: string;
  ipv6: string;
  linkLocal: string[];
  mac: string;
  gatewayPriority: number;
}

const none = (target: string): NetworkAttachment => ({
  target,
  aliases: [],
  links: [],
  driverOptions: {},
  ipv4: "",
  ipv6: "",
  linkLocal: [],
  mac: "",
  gatewayPriority: 0,
});

/** Keys are taken in any case, as docker does. docker also makes the values small, and then finds no network `Web`: here they stay. */
function option(attachment: NetworkAttachment, text: string): void {
  const equals = text.indexOf("=");
  if (equals < 1) throw new Error(`invalid field ${text.toLowerCase()}`);
  const key = text.slice(0, equals).trim().toLowerCase();
  const value = text.slice(equals + 1).trim();
  switch (key) {
    case "name":
      attachment.target = value;
      return;
    case "alias":
      attachment.aliases.push(value);
      return;
    case "driver-opt": {
      const at = value.indexOf("=");
      if (at < 1) throw new Error("invalid key value pair format in driver options");
      attachment.driverOptions[value.slice(0, at).trim()] = value.slice(at + 1).trim();
      return;
    }
    case "ip":
      attachment.ipv4 = value;
      return;
    case "ip6":
      attachment.ipv6 = value;
      return;
    case "mac-address":
      attachment.mac = value;
      return;
    case "link-local-ip":
      attachment.linkLocal.push(value);
      return;
    case "gw-priority":
      if (!/^[+-]?\d+$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
      attachment.gatewayPriority = Number(value);
      return;
    default:
      throw new Error(`invalid field key ${key}`);
  }
}

/** Go's forms of hardware addresses: 6, 8 or 20 bytes between colons or hyphens, or two by two between dots. */
export const isMac = (text: string): boolean => {
  const bytes = /^[0-9a-f]{2}(?:(:)[0-9a-f]{2}(?:\1[0-9a-f]{2})*|(-)[0-9a-f]{2}(?:\2[0-9a-f]{2})*)$/i.test(text);
  const pairs = /^[0-9a-f]{4}(?:\.[0-9a-f]{4})+$/i.test(text);
  return (bytes || pairs) && [6, 8, 20].includes(text.replaceAll(/[^0-9a-f]/gi, "").length / 2);
};

/** @throws Error with Docker's wording */
export function parseNetwork(text: string): NetworkAttachment {
  if (!/\w=\w/.test(text)) return none(text);
  const attachment = none("");
  for (const one of csvFields(text)) option(attachment, one);
  if (attachment.target === "") throw new Error("network name/id is not specified");
  return attachment;
}

export function checkNetwork(text: string): string {
  parseNetwork(text);
  return text;
}

const reserved: ReadonlySet<string> = new Set(["default", "bridge", "host", "none"]);

export const isUserDefined = (target: string): boolean => !reserved.has(target) && !target.startsWith("container:");

/** The endpoint's settings in the API's form. @throws Error with Docker's wording */
export function endpointSettings(attachment: NetworkAttachment): EndpointSettings {
  const { target, aliases, links, driverOptions, ipv4, ipv6, linkLocal, mac, gatewayPriority } = attachment;
  if (target.trim() === "") throw new Error("no name set for network");
  if (!isUserDefined(target) && aliases.length > 0) throw new Error("network-scoped aliases are only supported for user-defined networks");
  if (mac !== "" && !isMac(mac.trim())) throw new Error(`${mac} is not a valid mac address`);
  const ipam = {
    ...(ipv4 === "" ? {} : { IPv4Address: ipv4 }),
    ...(ipv6 === "" ? {} : { IPv6Address: ipv6 }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
  };
  return {
    ...(aliases.length === 0 ? {} : { Aliases: aliases }),
    ...(links.length === 0 ? {} : { Links: links }),
    ...(Object.keys(driverOptions).length === 0 ? {} : { DriverOpts: driverOptions }),
    ...(Object.keys(ipam).length === 0 ? {} : { IPAMConfig: ipam }),
    ...(mac === "" ? {} : { MacAddress: mac }),
    ...(gatewayPriority === 0 ? {} : { GwPriority: gatewayPriority }),
  };
}
