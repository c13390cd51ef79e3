/** The names of containers on networks that users have made, and the answers to their questions. */
import { type DnsClient, parseLinks, type Resolver, type Scope } from "../dns/dns.ts";
import type { DnsQuery } from "../kernel/kernel.ts";
import type { EndpointSettings } from "../spec/spec.ts";
import type { Place } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import type { AttachRequest } from "./networks.ts";
import { isClosed } from "./open-network.ts";
import type { Sandbox } from "./sandbox.ts";

const shortIdLength = 12;

/** As Docker has them under DNSNames: the name first, which addresses are resolved to. */
export function namesOf(request: AttachRequest, asked: EndpointSettings): string[] {
  const all = [
    request.containerName ?? "",
    ...(asked.Aliases ?? []),
    request.containerId.slice(0, shortIdLength),
    request.hostname.split(".")[0] ?? "",
  ];
  return [...new Set(all.filter((name) => name !== ""))];
}

export function addNames({ open, endpoint }: Place): void {
  const { link } = endpoint;
  open.zone?.set(endpoint.endpointId, {
    names: endpoint.dnsNames,
    ...(link?.address === undefined ? {} : { address: link.address }),
    ...(link?.address6 === undefined ? {} : { address6: link.address6 }),
  });
}

export function deleteNames({ open, endpoint }: Place): void {
  open.zone?.delete(endpoint.endpointId);
}

export class Names {
  readonly #ground: Ground;
  readonly #resolver: Resolver;
  /** Sandboxes are never changed, only replaced. */
  readonly #clients = new WeakMap<Sandbox, DnsClient>();

  constructor(ground: Ground, resolver: Resolver) {
    this.#ground = ground;
    this.#resolver = resolver;
  }

  answer(containerId: string, query: DnsQuery): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const sandbox = this.#ground.sandboxes.get(containerId);
    if (sandbox === undefined) return undefined;
    const client = this.#clients.get(sandbox) ?? this.#clientOf(sandbox);
    this.#clients.set(sandbox, client);
    return this.#resolver.answer(client, query.message, query.overTcp);
  }

  #clientOf(sandbox: Sandbox): DnsClient {
    const places = this.#ground.places(sandbox.endpoints);
    const resolver = sandbox.endpoints.find(({ link }) => link !== undefined)?.resolver;
    const servers = resolver?.servers ?? [];
    const outside = places.some(({ open }) => !isClosed(open.record));
    return {
      id: sandbox.containerId,
      scopes: places.flatMap(({ open, endpoint }): Scope[] =>
        open.zone === undefined ? [] : [{ zone: open.zone, ...(endpoint.links.length === 0 ? {} : { links: parseLinks(endpoint.links) }) }],
      ),
      // What an internal network's containers ask must not get out by way of us either (CVE-2024-29018).
      upstreams: !outside ? [] : servers.length === 0 ? "host" : servers.map((address) => ({ address })),
      ndotsSet: resolver?.ndotsSet ?? false,
    };
  }

  close(): void {
    this.#resolver.close();
  }
}
