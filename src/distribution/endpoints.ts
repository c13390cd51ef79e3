/** Where a registry's content is to be had: its mirrors, then itself, by HTTPS and, if it may be insecure, HTTP. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { invalidParameter } from "../base/base.ts";
import { type TlsSettings, tlsSettings } from "./certificates.ts";
import type { DistributionSettings } from "./distribution.ts";
import { type HostSettings, type HostsFile, type HostTls, readHostsFile } from "./hosts-file.ts";
import { inSubnet } from "./proxies.ts";
import { isOfSameSite } from "./same-site.ts";

export interface Endpoint {
  /** Without a slash at its end: `https://registry-1.docker.io`. */
  readonly base: string;
  readonly origin: string;
  /** Another host than the registry's own: asked without credentials, and its failures lead on to the next. */
  readonly isMirror: boolean;
  /** Whose content the mirror is asked for. */
  readonly namespace?: string;
  /** Where hosts.toml says more. */
  readonly host?: HostSettings;
}

/** `list`: what only the registry itself knows, such as its tags. */
export type Purpose = "pull" | "push" | "list";

interface TlsOptions {
  readonly registry?: string;
  readonly of?: HostTls | undefined;
}

interface KnownTls {
  readonly checkedAt: number;
  readonly settings: Promise<TlsSettings>;
}

const alwaysInsecure = ["127.0.0.0/8", "::1/128"];

export class Endpoints {
  #settings: DistributionSettings;
  readonly #tls = new Map<string, KnownTls>();

  constructor(settings: DistributionSettings) {
    checkSettings(settings);
    this.#settings = settings;
  }

  set settings(settings: DistributionSettings) {
    checkSettings(settings);
    this.#settings = settings;
    this.#tls.clear();
  }

  /** The registry itself, whatever may stand in its place: it gets the credentials. @param domain as references have it */
  async own(domain: string): Promise<Endpoint[]> {
    const servers = await this.#servers(domain, await this.#hostsFile(domain));
    return servers.some(({ isMirror }) => isMirror) ? this.#servers(domain, undefined) : servers;
  }

  /** May the host that a registry names as its token server see the registry's credentials? */
  mayAsk(realm: URL, registry: URL): boolean {
    return isOfSameSite(realm.hostname, registry.hostname) || (this.#settings.tokenServers ?? []).includes(realm.hostname);
  }

  /** In order of preference. @throws System for a hosts.toml that cannot be understood */
  async for(domain: string, purpose: Purpose): Promise<Endpoint[]> {
    const file = await this.#hostsFile(domain);
    const servers = await this.#servers(domain, file);
    const hosts = (file?.hosts ?? []).map((host) => endpoint(host.url, { isMirror: true, ...namespaceOf(host.url, domain), host }));
    if (purpose === "list") return servers;
    // Blobs and manifest must go to the same place. Only to one that is said to be for it.
    if (purpose === "push") {
      const [pushed] = hosts.filter(({ host }) => host.capabilities?.has("push") === true);
      return pushed === undefined ? servers : [pushed];
    }
    const { mirrors = {}, registryMirrors = [] } = this.#settings;
    const named = (Object.hasOwn(mirrors, domain) ? mirrors[domain] : undefined) ?? [];
    return [
      ...hosts,
      ...named.map((url) => endpoint(url, { isMirror: true, namespace: domain })),
      ...(domain === "docker.io" ? registryMirrors : []).map((url) => endpoint(url, { isMirror: true })),
      ...servers,
    ];
  }

  #hostsFile(domain: string): Promise<HostsFile | undefined> {
    return readHostsFile(this.#folder, domain);
  }

  async #servers(domain: string, file: HostsFile | undefined): Promise<Endpoint[]> {
    const own = ownHost(domain);
    const host = file === undefined ? {} : { host: file.server };
    const url = file?.server.url;
    if (url !== undefined) return [endpoint(url, { isMirror: new URL(url).host !== own, ...namespaceOf(url, domain), ...host })];
    const schemes = (await this.#isInsecure(own)) ? ["https", "http"] : ["https"];
    return schemes.map((scheme) => endpoint(`${scheme}://${own}`, { isMirror: false, ...host }));
  }

  get #folder(): string {
    return this.#settings.certificates ?? "/etc/docker/certs.d";
  }

  /**
   * As the files are now, or were a second ago: the same object as long as they are the same.
   * @param options.registry whose authorities the host may have too: the one that named it as its realm
   * @param options.of what hosts.toml has for the host, or for that registry
   */
  async tls(url: URL, options: TlsOptions = {}): Promise<TlsSettings> {
    const key = `${url.host} ${options.registry ?? ""} ${options.of?.fingerprint ?? ""}`;
    const known = this.#tls.get(key);
    if (known !== undefined && performance.now() - known.checkedAt < 1000) return known.settings;
    const asked = { checkedAt: performance.now(), settings: this.#readTls(url.host, options, known) };
    this.#tls.set(key, asked);
    // What is wrong with the files may be mended.
    asked.settings.catch(() => {
      if (this.#tls.get(key) === asked) this.#tls.delete(key);
    });
    return asked.settings;
  }

  async #readTls(host: string, { registry, of }: TlsOptions, known: KnownTls | undefined): Promise<TlsSettings> {
    // A client's certificate, and trust without proof, are for the very host that they are written down for.
    const isOwn = registry === undefined || registry === host;
    const options = {
      verify: !(await this.#isInsecure(host)) && (of?.verify !== false || !isOwn),
      ...(registry === undefined ? {} : { also: registry }),
      ...(of === undefined ? {} : { authorities: of.authorities }),
      ...(of?.client === undefined || !isOwn ? {} : { client: of.client }),
    };
    const before = await known?.settings.catch(() => undefined);
    return tlsSettings(this.#folder, host, options, before);
  }

  async #isInsecure(host: string): Promise<boolean> {
    const listed = this.#settings.insecureRegistries ?? [];
    if (listed.includes(host)) return true;
    const name = new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "");
    if (listed.includes(name)) return true;
    const subnets = [...alwaysInsecure, ...listed.filter((entry) => entry.includes("/"))];
    if (name === "registry-1.docker.io" && subnets.length === alwaysInsecure.length) return false;
    return (await addressesOf(name)).some((address) => subnets.some((subnet) => inSubnet(address, subnet)));
  }
}

async function addressesOf(name: string): Promise<string[]> {
  if (isIP(name) !== 0) return [name];
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    // Connecting will say what is wrong with the name.
    return [];
  }
}

function ownHost(domain: string): string {
  return domain === "docker.io" ? "registry-1.docker.io" : domain;
}

/** The registry itself need not be told whose content is wanted. */
function namespaceOf(url: string, domain: string): { namespace?: string } {
  return new URL(url).host === ownHost(domain) ? {} : { namespace: domain };
}

function endpoint<T extends Omit<Endpoint, "base" | "origin">>(url: string, rest: T): T & Pick<Endpoint, "base" | "origin"> {
  const base = url.replace(/\/+$/, "");
  return { base, origin: new URL(base).origin, ...rest };
}

/** @throws InvalidParameter in dockerd's words */
function checkSettings({ mirrors = {}, registryMirrors = [], insecureRegistries = [] }: DistributionSettings): void {
  for (const registry of insecureRegistries)
    if (registry.includes("://")) throw invalidParameter(`insecure registry ${registry} should not contain '://'`);
  for (const mirror of [...registryMirrors, ...Object.values(mirrors).flat()]) {
    const bad = (why: string): Error => invalidParameter(`invalid mirror: ${why}`);
    const url = URL.canParse(mirror) ? new URL(mirror) : undefined;
    if (url === undefined) throw bad(`"${mirror}" is not a valid URI`);
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw bad(`unsupported scheme "${url.protocol.slice(0, -1)}" in "${mirror}"`);
    if (url.search !== "" || url.hash !== "") throw bad(`query or fragment at end of the URI "${mirror}"`);
    if (url.username !== "" || url.password !== "") throw bad(`username/password not allowed in URI "${url.protocol}//${url.host}/"`);
  }
}
