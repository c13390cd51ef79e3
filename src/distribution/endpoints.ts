/** Where a registry's content is to be had: its mirrors, then itself, by HTTPS and, if it may be insecure, HTTP. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { invalidParameter } from "../base/base.ts";
import { type TlsSettings, tlsSettings } from "./certificates.ts";
import type { DistributionSettings } from "./distribution.ts";
import { inSubnet } from "./proxies.ts";

export interface Endpoint {
  /** Without a slash at its end: `https://registry-1.docker.io`. */
  readonly base: string;
  readonly origin: string;
  /** For blobs and manifests only, and without credentials. */
  readonly isMirror: boolean;
  /** Whose content the mirror is asked for. */
  readonly namespace?: string;
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

  /** To push to, and to ask for everything but content. @param domain as references have it */
  async own(domain: string): Promise<Endpoint[]> {
    const host = domain === "docker.io" ? "registry-1.docker.io" : domain;
    const schemes = (await this.#isInsecure(host)) ? ["https", "http"] : ["https"];
    return schemes.map((scheme) => endpoint(`${scheme}://${host}`, { isMirror: false }));
  }

  /** To pull from, in order. */
  async forPull(domain: string): Promise<Endpoint[]> {
    const { mirrors = {}, registryMirrors = [] } = this.#settings;
    const named = (Object.hasOwn(mirrors, domain) ? mirrors[domain] : undefined) ?? [];
    return [
      ...named.map((url) => endpoint(url, { isMirror: true, namespace: domain })),
      ...(domain === "docker.io" ? registryMirrors : []).map((url) => endpoint(url, { isMirror: true })),
      ...(await this.own(domain)),
    ];
  }

  /**
   * As the files are now, or were a second ago: the same object as long as they are the same.
   * @param registry whose authorities the host may have too: the one that named it as its realm
   */
  async tls(url: URL, registry?: string): Promise<TlsSettings> {
    const key = `${url.host} ${registry ?? ""}`;
    const known = this.#tls.get(key);
    if (known !== undefined && performance.now() - known.checkedAt < 1000) return known.settings;
    const asked = { checkedAt: performance.now(), settings: this.#readTls(url.host, registry, known) };
    this.#tls.set(key, asked);
    // What is wrong with the files may be mended.
    asked.settings.catch(() => {
      if (this.#tls.get(key) === asked) this.#tls.delete(key);
    });
    return asked.settings;
  }

  async #readTls(host: string, registry: string | undefined, known: KnownTls | undefined): Promise<TlsSettings> {
    const folder = this.#settings.certificates ?? "/etc/docker/certs.d";
    const options = { verify: !(await this.#isInsecure(host)), ...(registry === undefined ? {} : { also: registry }) };
    const before = await known?.settings.catch(() => undefined);
    return tlsSettings(folder, host, options, before);
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

function endpoint(url: string, rest: Pick<Endpoint, "isMirror" | "namespace">): Endpoint {
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
