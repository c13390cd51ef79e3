/**
 * Names: what containers get when they ask 127.0.0.11.
 *
 * A {@link Zone} holds the names of one network; who connects and disconnects containers keeps it current. A question comes
 * as bytes with the container that asks ({@link DnsClient}). Names of its networks are answered at once; all else is
 * forwarded from the host's network, where resolvers on the host's loopback can be reached too, and kept for a short while.
 * A container without upstreams (all of its networks are internal) has nothing forwarded. The room knows neither containers nor
 * the kernel, opens no port that others could ask, and trusts no byte: a packet that is malformed costs its sender an error.
 */
import type { Zone } from "./zone.ts";

export { hostServersFile, parseResolvConf, type ResolvConf } from "./resolv-conf.ts";
export { openResolver, type ResolverSettings } from "./resolver.ts";
export { type Host, parseLinks, Zone } from "./zone.ts";

export interface Resolver {
  /**
   * @returns the answer, not longer than what the asker takes; undefined: none is due (what was asked is no question).
   * Not a promise where the answer is known already, as with every name of the client's networks.
   */
  answer(client: DnsClient, question: Uint8Array, overTcp: boolean): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Ends what is under way: its askers get SERVFAIL. */
  close(): void;
}

/** A container that asks. May be made anew for each question, or kept. */
export interface DnsClient {
  /** Those with the same one share a limit of questions under way. */
  readonly id: string;
  /** Its networks, in the order in which names are looked up. */
  readonly scopes: readonly Scope[];
  /** Where questions go that no scope answers. "host": to the host's resolvers. Empty: nowhere (SERVFAIL, as Docker does). */
  readonly upstreams: readonly Upstream[] | "host";
  /** `ndots` is set by the user: names without a dot are not forwarded, so that the asker tries its search domains. */
  readonly ndotsSet: boolean;
}

export interface Scope {
  readonly zone: Zone;
  /** Names that this container alone has for others of the zone: see {@link parseLinks}. */
  readonly links?: ReadonlyMap<string, string>;
}

export interface Upstream {
  /** IPv4 or IPv6, the latter with a `%zone` if it needs one. */
  readonly address: string;
  /** 53 unless given. */
  readonly port?: number;
}
