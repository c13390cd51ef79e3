/** What the daemon's flags say about networks; each field is dockerd's flag of that name. */
export interface NetworkOptions {
  /** The daemon's identity, from which its IPv6 addresses come: the same for ever. */
  readonly engineId?: string;
  /** The default bridge's device; `none`: no default bridge. `berth0` unless given. */
  readonly bridge?: string;
  /** `--bip`: the bridge's own address with its subnet, `172.20.0.1/16`. */
  readonly bip?: string;
  /** `--fixed-cidr`: containers get addresses of this part of the subnet. */
  readonly fixedCidr?: string;
  /** `--default-gateway`: the containers' default route, unless it is the bridge. */
  readonly defaultGateway?: string;
  /** Bytes; 1500 unless given. */
  readonly mtu?: number;
  /** `--default-address-pool`, each `base=10.0.0.0/8,size=24`: for `subnetSources`. */
  readonly defaultAddressPools?: readonly string[];
  /** `--default-network-opt`: what new networks have among their options, by driver. */
  readonly defaultNetworkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The default bridge has IPv6 as well. */
  readonly ipv6?: boolean;
  /** `--bip6`: its own address there, with its subnet. */
  readonly bip6?: string;
  /** `--fixed-cidr-v6` */
  readonly fixedCidrV6?: string;
  readonly defaultGatewayV6?: string;
  /** Containers of the default bridge may reach each other; true unless given. */
  readonly icc?: boolean;
  /** Other hosts get to published ports at the containers' own addresses too. */
  readonly allowDirectRouting?: boolean;
  /** Let the kernel forward (net.ipv4.ip_forward); true unless given. */
  readonly ipForward?: boolean;
  /** Give what leaves the bridge the host's address; true unless given. */
  readonly ipMasq?: boolean;
  /** `--ip`: where ports are published that name no address, from the default bridge only. */
  readonly publishAddress?: string;
  /** `--default-publish-address`, the same for all networks: an address, or one of each family with a comma between. */
  readonly defaultPublishAddress?: string;
  /** `--publish-mode`: with `input` connections end at the host, whose own rules apply to them, and the monitors pass them on. */
  readonly publishMode?: "forward" | "input";
  /** `--host-gateway-ip`: what `host-gateway` stands for, at most one address of each family, unless it is the default bridge's addresses. */
  readonly hostGateways?: readonly string[];
  /** The containers' resolvers where `docker run` names none: `--dns`, `--dns-opt`, `--dns-search`. */
  readonly dns?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearch?: readonly string[];
}
