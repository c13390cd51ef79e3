/** What `--opt` says about a network of driver bridge, and about its part of the firewall. */
import { invalidParameter, systemError } from "../base/base.ts";
import { familyOf } from "./addresses.ts";
import { booleanOption, integerOption, notParsed } from "./go-values.ts";

/**
 * How other hosts get at containers: through published ports on the host's addresses (`nat`), straight, at published ports
 * (`routed`), straight, at any port (`nat-unprotected`), or not at all, nor the host (`isolated`).
 */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

export interface BridgeOptions {
  /** Undefined: `br-` and the network's id. */
  readonly name?: string;
  /** Bytes; 1500 unless given. */
  readonly mtu: number;
  /** Containers of the network may reach each other. */
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly gatewayMode4: GatewayMode;
  readonly gatewayMode6: GatewayMode;
  /** Where ports are published that name no address. Undefined: the daemon's own default. */
  readonly bindingAddress4?: string;
  readonly bindingAddress6?: string;
  /** The bridge has no IPv4 address: the gateway is another host's. */
  readonly inhibitIPv4: boolean;
  /** Interfaces of the host from which containers may be reached straight. */
  readonly trustedInterfaces: readonly string[];
  /** The source address of what leaves the network, instead of the outgoing interface's. */
  readonly hostAddress4?: string;
  readonly hostAddress6?: string;
  /** Interfaces in containers are called this and a number. */
  readonly interfacePrefix: string;
  /** `--aux-address DefaultGatewayIPv4=…`: the containers' default gateway, unless it is the bridge. */
  readonly containerGateway4?: string;
  readonly containerGateway6?: string;
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

function given<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: string });
}

const addressOf = (family: 4 | 6, ...texts: readonly (string | undefined)[]): string | undefined =>
  texts.find((text) => text !== undefined && familyOf(text) === family);

/** Labels that no driver knows are kept and mean nothing, as with Docker. @throws InvalidParameter, System in Docker's wording */
export function readBridgeOptions(options: Readonly<Record<string, string>>, internal: boolean): BridgeOptions {
  const labels = new Labels(options);
  const mtu = labels.integer("driver.mtu") ?? 0;
  // One label, whichever family the address is of; the second is ours.
  const bindings = [labels.address("bridge.host_binding_ipv4"), labels.address("bridge.host_binding_ipv6")];
  const read: BridgeOptions = {
    mtu: mtu === 0 ? 1500 : mtu,
    icc: labels.boolean("bridge.enable_icc") ?? true,
    masquerade: labels.boolean("bridge.enable_ip_masquerade") ?? true,
    gatewayMode4: labels.gatewayMode("bridge.gateway_mode_ipv4") ?? "nat",
    gatewayMode6: labels.gatewayMode("bridge.gateway_mode_ipv6") ?? "nat",
    inhibitIPv4: labels.boolean("bridge.inhibit_ipv4") ?? false,
    trustedInterfaces: (labels.text("bridge.trusted_host_interfaces") ?? "").split(":").filter((name) => name !== ""),
    interfacePrefix: labels.text("container_iface_prefix") || "eth",
    ...given("name", labels.text("bridge.name") || undefined),
    ...given("bindingAddress4", addressOf(4, ...bindings)),
    ...given("bindingAddress6", addressOf(6, ...bindings)),
    ...given("hostAddress4", labels.address("host_ipv4")),
    ...given("hostAddress6", labels.address("host_ipv6")),
  };
  if (mtu < 0) throw invalidParameter(`invalid MTU number: ${mtu}`);
  if (read.name !== undefined && !isDeviceName(read.name)) throw invalidParameter(`invalid bridge name: ${read.name}`);
  if ((read.gatewayMode4 === "isolated" || read.gatewayMode6 === "isolated") && !internal)
    throw systemError("gateway mode 'isolated' can only be used for an internal network");
  return read;
}

/** What the kernel takes for an interface's name. */
export const isDeviceName = (name: string): boolean => /^[^\s/:]{1,15}$/.test(name) && name !== "." && name !== "..";

interface BridgeNetwork {
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly pools: readonly { readonly auxiliary: Readonly<Record<string, string>> }[];
}

/** Of a network's record. @throws as {@link readBridgeOptions}, which a recorded network never does */
export function bridgeOptionsOf(record: BridgeNetwork): BridgeOptions {
  const auxiliary = Object.assign({}, ...record.pools.map((pool) => pool.auxiliary)) as Record<string, string | undefined>;
  return {
    ...readBridgeOptions(record.options, record.internal),
    ...given("containerGateway4", auxiliary["DefaultGatewayIPv4"]),
    ...given("containerGateway6", auxiliary["DefaultGatewayIPv6"]),
  };
}
