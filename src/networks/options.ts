/** What the daemon's flags say about networks; each field is dockerd's flag of that name. */
export interface NetworkOptions {
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
  /** `--default-address-pool`, each `base=10.0.0.0/8,size=24`. */
  readonly defaultAddressPools?: readonly string[];
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
  /** `--host-gateway-ip`: what `host-gateway` stands for, unless it is the bridge's address. */
  readonly hostGateway?: string;
  /** The containers' resolvers where `docker run` names none: `--dns`, `--dns-opt`, `--dns-search`. */
  readonly dns?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearch?: readonly string[];
}
