/** What the daemon's flags about networks' addresses and options say. */
import { messageOf } from "../base/base.ts";
import { contains, familyOf, parseCidr } from "../networks/addresses.ts";
import { parseSubnetSource } from "../networks/subnets.ts";

export interface AddressPool {
  readonly Base: string;
  readonly Size: number;
}

/** By driver, by option. */
export type DefaultNetworkOptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `base=10.0.0.0/8,size=24`, of either family. @throws Error in dockerd's words */
export function parsePool(text: string): AddressPool {
  const fields = new Map<string, string>();
  for (const field of text.split(",")) {
    const mark = field.indexOf("=");
    if (mark === -1) throw new Error(`invalid field '${field}' must be a key=value pair`);
    fields.set(field.slice(0, mark).trim().toLowerCase(), field.slice(mark + 1).trim());
  }
  const [base = "", size = ""] = [fields.get("base"), fields.get("size")];
  for (const key of fields.keys()) if (key !== "base" && key !== "size") throw new Error(`unexpected key '${key}' in '${text}'`);
  if (!/^\d+$/.test(size)) throw new Error(`invalid pool size '${size}'`);
  parseSubnetSource(`base=${base},size=${size}`);
  return { Base: base, Size: Number(size) };
}

/** Each `bridge=com.docker.network.driver.mtu=1400`. @throws Error */
export function parseDefaultNetworkOptions(texts: readonly string[]): DefaultNetworkOptions {
  const byDriver: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [, driver, option, value] = /^([^=]+)=([^=]+)=(.*)$/s.exec(text) ?? [];
    if (driver === undefined || option === undefined || value === undefined)
      throw new Error(`invalid default network option '${text}': it should be driver=option=value`);
    const options = byDriver[driver] ?? {};
    byDriver[driver] = { ...options, [option]: value };
  }
  return byDriver;
}

/** The default bridge's addresses of IPv6. */
export interface BridgeAddresses6 {
  readonly bip6: string | undefined;
  readonly fixedCidrV6: string | undefined;
  readonly defaultGatewayV6: string | undefined;
}

/** @throws Error naming the flag */
export function checkBridgeAddresses6({ bip6, fixedCidrV6, defaultGatewayV6 }: BridgeAddresses6): void {
  const cidr = (flag: string, text: string | undefined): ReturnType<typeof parseCidr> | undefined => {
    if (text === undefined) return undefined;
    try {
      const parsed = parseCidr(text);
      if (parsed.subnet.family === 6) return parsed;
    } catch (error) {
      throw new Error(`invalid ${flag}: ${messageOf(error)}`, { cause: error });
    }
    throw new Error(`invalid ${flag}: '${text}' is not a valid IPv6 subnet`);
  };
  const bridge = cidr("bip6", bip6)?.subnet;
  const fixed = cidr("fixed-cidr-v6", fixedCidrV6);
  if (defaultGatewayV6 !== undefined && familyOf(defaultGatewayV6) !== 6)
    throw new Error(`invalid default-gateway-v6: ${defaultGatewayV6} is not an IPv6 address`);
  if (bridge === undefined) return;
  if (fixed !== undefined && (!contains(bridge, fixed.address) || fixed.subnet.prefixLength < bridge.prefixLength))
    throw new Error(`invalid fixed-cidr-v6: ${fixedCidrV6} is not part of the subnet of bip6 ${bip6}`);
  if (defaultGatewayV6 !== undefined && !contains(bridge, defaultGatewayV6))
    throw new Error(`invalid default-gateway-v6: ${defaultGatewayV6} is not part of the subnet of bip6 ${bip6}`);
}
