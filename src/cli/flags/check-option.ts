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

export function checkIp(value: string): string {
  const address = value.trim();
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${value}`);
  return address;
}

export function checkDnsSearch(value: string): string {
  const domain = value.trim();
  if (domain === "." || /^(?=.{1,255}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+$/.test(domain)) return domain;
  throw new Error(`${value} is not a valid domain`);
}

/** `host:ip` or `host=ip`; kept with a colon. */
export function checkExtraHost(value: string): string {
  const match = /^([^:=]*)[:=](.*)$/.exec(value);
  if (match === null || match[1] === "") throw new Error(`bad format for add-host: ${JSON.stringify(value)}`);
  const address = (match[2] ?? "").replace(/^\[(.*)\]$/, "$1");
  if (address !== "host-gateway" && isIP(address) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(match[2] ?? "")}`);
  return `${match[1]}:${address}`;
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
