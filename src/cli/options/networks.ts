import { isIP } from "node:net";
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

function option(attachment: NetworkAttachment, text: string): void {
  const equals = text.indexOf("=");
  if (equals < 0) throw new Error(`invalid field ${text}`);
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
      attachment.driverOptions[value.slice(0, at).trim().toLowerCase()] = value.slice(at + 1).trim();
      return;
    }
    case "ip":
      if (isIP(value) !== 4) throw new Error(`invalid ipv4 address: ${value}`);
      attachment.ipv4 = value;
      return;
    case "ip6":
      if (isIP(value) !== 6) throw new Error(`invalid ipv6 address: ${value}`);
      attachment.ipv6 = value;
      return;
    case "mac-address":
      if (!isMac(value)) throw new Error(`${value} is not a valid mac address`);
      attachment.mac = value;
      return;
    case "link-local-ip":
      if (isIP(value) === 0) throw new Error(`invalid link-local ip address: ${value}`);
      attachment.linkLocal.push(value);
      return;
    case "gw-priority":
      if (!/^-?\d+$/.test(value)) throw new Error(`invalid gw-priority: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
      attachment.gatewayPriority = Number(value);
      return;
    default:
      throw new Error(`invalid field key ${key}`);
  }
}

export const isMac = (text: string): boolean => /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text);

/** @throws Error with Docker's wording */
export function parseNetwork(text: string): NetworkAttachment {
  const simple = !/^\w+=/.test(text) && !text.includes(",");
  if (simple) return none(text);
  const attachment = none("");
  for (const one of csvFields(text)) option(attachment, one);
  if (attachment.target === "") throw new Error("network name/id is not specified");
  return attachment;
}

export function checkNetwork(text: string): string {
  parseNetwork(text);
  return text;
}

/** The endpoint's settings in the API's form. */
export function endpointSettings(attachment: NetworkAttachment): EndpointSettings {
  const { aliases, links, driverOptions, ipv4, ipv6, linkLocal, mac, gatewayPriority } = attachment;
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
