/** What `--opt` says about a network of driver bridge, and about its part of the firewall. */
import { invalidParameter, systemError } from "../base/base.ts";
import { familyOf } from "./addresses.ts";
import type { GatewayMode } from "./firewall.ts";
import { booleanOption, integerOption, notParsed } from "./go-values.ts";

/** Of each IP version, where there is one. */
interface OfFamilies {
  readonly 4?: string;
  readonly 6?: string;
}

export interface BridgeOptions {
  /** Undefined: `br-` and the network's id. */
  readonly name?: string;
  /** Bytes; 1500 unless given. */
  readonly mtu: number;
  /** Containers of the network may reach each other. */
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly gatewayMode: { readonly 4: GatewayMode; readonly 6: GatewayMode };
  /** Where ports are published that name no address. Undefined: the daemon's own default. */
  readonly publishAddress: OfFamilies;
  /** The bridge has no IPv4 address: the gateway is another host's. */
  readonly inhibitIPv4: boolean;
  /** Interfaces of the host from which containers may be reached straight. */
  readonly trustedInterfaces: readonly string[];
  /** The source address of what leaves the network, instead of the outgoing interface's. */
  readonly sourceAddress: OfFamilies;
  /** Interfaces in containers are called this and a number. */
  readonly interfacePrefix: string;
}

const prefix = "com.docker.network.";
const gatewayModes: readonly GatewayMode[] = ["nat", "nat-unprotected", "routed", "isolated"];

/** Reads one label after the other, so that what is wrong is told in the user's order. */
class Labels {
  readonly #options: Readonly<Record<string, string>>;

  constructor(options: Readonly<Record<string, string>>) {
    this.#options = options;
  }

  text(name: string): string | undefined {
    const label = prefix + name;
    return Object.hasOwn(this.#options, label) ? this.#options[label] : undefined;
  }

  #read<T>(name: string, parse: (label: string, value: string) => T): T | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : parse(prefix + name, value);
  }

  boolean(name: string): boolean | undefined {
    return this.#read(name, booleanOption);
  }

  integer(name: string): number | undefined {
    return this.#read(name, integerOption);
  }

  address(name: string): string | undefined {
    return this.#read(name, (label, value) => {
      if (familyOf(value) === undefined) throw notParsed(label, value, "nil ip");
      return value;
    });
  }

  gatewayMode(name: string): GatewayMode | undefined {
    return this.#read(name, (label, value) => {
      const mode = gatewayModes.find((known) => known === value);
      if (mode === undefined) throw notParsed(label, value, `unknown gateway mode ${value}`);
      return mode;
    });
  }
}

function ofFamilies(...addresses: readonly (string | undefined)[]): OfFamilies {
  const find = (family: 4 | 6): string | undefined => addresses.find((text) => text !== undefined && familyOf(text) === family);
  const [four, six] = [find(4), find(6)];
  return { ...(four === undefined ? {} : { 4: four }), ...(six === undefined ? {} : { 6: six }) };
}

/** Labels that no driver knows are kept and mean nothing, as with Docker. @throws InvalidParameter, System in Docker's wording */
export function readBridgeOptions(options: Readonly<Record<string, string>>, internal: boolean): BridgeOptions {
  const labels = new Labels(options);
  const mtu = labels.integer("driver.mtu") ?? 0;
  const name = labels.text("bridge.name") || undefined;
  const read: BridgeOptions = {
    mtu: mtu === 0 ? 1500 : mtu,
    icc: labels.boolean("bridge.enable_icc") ?? true,
    masquerade: labels.boolean("bridge.enable_ip_masquerade") ?? true,
    gatewayMode: {
      4: labels.gatewayMode("bridge.gateway_mode_ipv4") ?? "nat",
      6: labels.gatewayMode("bridge.gateway_mode_ipv6") ?? "nat",
    },
    // Docker has one label, which takes an address of either family; the second is ours.
    publishAddress: ofFamilies(labels.address("bridge.host_binding_ipv4"), labels.address("bridge.host_binding_ipv6")),
    sourceAddress: ofFamilies(labels.address("host_ipv4"), labels.address("host_ipv6")),
    inhibitIPv4: labels.boolean("bridge.inhibit_ipv4") ?? false,
    trustedInterfaces: (labels.text("bridge.trusted_host_interfaces") ?? "").split(":").filter((name) => name !== ""),
    interfacePrefix: labels.text("container_iface_prefix") || "eth",
    ...(name === undefined ? {} : { name }),
  };
  if (mtu < 0) throw invalidParameter(`invalid MTU number: ${mtu}`);
  if (name !== undefined && !isDeviceName(name)) throw invalidParameter(`invalid bridge name: ${name}`);
  if ((read.gatewayMode[4] === "isolated" || read.gatewayMode[6] === "isolated") && !internal)
    throw systemError("gateway mode 'isolated' can only be used for an internal network");
  return read;
}

/** What the kernel takes for an interface's name. */
export const isDeviceName = (name: string): boolean => /^[^\s/:]{1,15}$/.test(name) && name !== "." && name !== "..";

/** Of a network's record. @throws as {@link readBridgeOptions}, which a recorded network never does */
export const bridgeOptionsOf = (record: {
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
}): BridgeOptions => readBridgeOptions(record.options, record.internal);

/** The containers' default gateway of a family, where `--aux-address DefaultGatewayIPv4=…` says that it is not the bridge. */
export function gatewayElsewhere(
  pools: readonly { readonly auxiliary: Readonly<Record<string, string>> }[],
  family: 4 | 6,
): string | undefined {
  return pools.map(({ auxiliary }) => auxiliary[`DefaultGatewayIPv${family}`]).find((address) => address !== undefined);
}
