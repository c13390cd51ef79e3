import { isIP } from "node:net";

/** Checks of single flags, each with Docker's wording. They return the value as it is to be kept. */
export function checkAttach(value: string): string {
  const stream = value.toLowerCase();
  if (!["stdin", "stdout", "stderr"].includes(stream)) throw new Error("valid streams are STDIN, STDOUT and STDERR");
  return stream;
}

/** A variable without a value takes the caller's; the caller's lack of one leaves it out. */
export function checkEnvironment(value: string): string {
  if (value === "" || value.startsWith("=")) throw new Error(`invalid environment variable: ${value}`);
  if (value.includes("=")) return value;
  const own = process.env[value];
  return own === undefined ? value : `${value}=${own}`;
}

export function checkLabel(value: string): string {
  if (value.startsWith("=") || value === "") throw new Error(`invalid label '${value}': empty name`);
  return value;
}

/** Go's addresses have no zones. */
const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes("%");

/** The address in its usual form. */
export function checkIp(value: string): string {
  const address = value.trim();
  if (!isAddress(address)) throw new Error(`IP address is not correctly formatted: ${value}`);
  if (isIP(address) === 4) return address;
  const usual = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(usual);
  if (mapped === null) return usual;
  return mapped
    .slice(1)
    .map((word) => Number.parseInt(word, 16))
    .flatMap((word) => [word >> 8, word & 255])
    .join(".");
}

export function checkDnsSearch(value: string): string {
  const domain = value.replaceAll(/^ +| +$/g, "");
  if (domain === ".") return domain;
  const match = /^((?:[A-Za-z0-9][A-Za-z0-9-]*)?[A-Za-z0-9](?:\.(?:[A-Za-z0-9][A-Za-z0-9-]*)?[A-Za-z0-9])*)\.?\s*$/.exec(domain);
  if (match?.[1] !== undefined && match[1].length < 255 && /[A-Za-z]/.test(domain)) return match[1];
  throw new Error(`${value} is not a valid domain`);
}

/** `host:ip` or `host=ip`; kept with a colon. */
export function checkExtraHost(value: string): string {
  const at = value.includes("=") ? value.indexOf("=") : value.indexOf(":");
  const host = value.slice(0, Math.max(at, 0));
  if (host === "" || host.includes(":")) throw new Error(`bad format for add-host: ${JSON.stringify(value)}`);
  const address = value.slice(at + 1).replace(/^\[(.+)\]$/, "$1");
  if (address !== "host-gateway" && !isAddress(address)) throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${host}:${address}`;
}

export function checkLink(value: string): string {
  const parts = value.split(":");
  if (value === "") throw new Error("empty string specified for links");
  if (parts.length > 2) throw new Error(`bad format for links: ${value}`);
  return value;
}

const sysctls = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

export function checkSysctl(value: string): string {
  const name = value.slice(0, Math.max(value.indexOf("="), 0));
  if (name === "" || !(sysctls.has(name) || name.startsWith("net.") || name.startsWith("fs.mqueue.")))
    throw new Error(`sysctl '${value}' is not allowed`);
  return value;
}

const ulimits = new Set("core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "));

/** `NAME=SOFT[:HARD]`. */
export function checkUlimit(value: string): string {
  const match = /^([^=]*)=([^:]*)(?::(.*))?$/.exec(value);
  if (match === null) throw new Error(`invalid ulimit argument: ${value}`);
  const [, name = "", soft = "", hard] = match;
  if (!ulimits.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  for (const limit of [soft, hard ?? soft])
    if (!/^[+-]?\d+$/.test(limit)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(limit)}: invalid syntax`);
  if (hard !== undefined && hard !== "-1" && (Number(soft) > Number(hard) || soft === "-1"))
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return value;
}
