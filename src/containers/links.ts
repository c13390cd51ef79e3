import { type ContainerId, invalidParameter } from "../base/base.ts";

/** A legacy link: the container that has it sees another one under an alias. */
export interface ContainerLink {
  readonly id: ContainerId;
  readonly alias: string;
  /** The name that the other one had when it was last seen: shown when it is gone. */
  readonly name: string;
}

/** `name:alias`, `name`, or as inspect shows it `/name:/parent/alias`. @throws InvalidParameter with Docker's wording */
export function parseLink(text: string): { readonly name: string; readonly alias: string } {
  if (text === "") throw invalidParameter("empty string specified for links");
  const [name = "", alias = name, ...more] = text.split(":");
  if (more.length > 0) throw invalidParameter(`bad format for links: ${text}`);
  return name.startsWith("/") ? { name: name.slice(1), alias: alias.slice(alias.lastIndexOf("/") + 1) } : { name, alias };
}

interface Port {
  readonly number: number;
  readonly protocol: string;
}

function sortedPorts(exposed: readonly string[]): Port[] {
  return exposed
    .map((text) => ({ number: Number(text.split("/")[0]), protocol: text.split("/")[1] ?? "tcp" }))
    .sort((a, b) => a.number - b.number || (a.protocol === "tcp" ? -1 : 1));
}

/** Ports that follow each other without a gap, two and more. */
function ranges(ports: readonly Port[]): { readonly first: Port; readonly last: Port }[] {
  const found: { first: Port; last: Port }[] = [];
  for (let begin = 0; begin < ports.length; ) {
    let end = begin;
    while ((ports[end + 1]?.number ?? Number.POSITIVE_INFINITY) <= (ports[end]?.number ?? 0) + 1) end++;
    const [first, last] = [ports[begin], ports[end]];
    if (end > begin && first !== undefined && last !== undefined) found.push({ first, last });
    begin = end + 1;
  }
  return found;
}

export interface LinkedContainer {
  readonly alias: string;
  /** Of the container that has the link. */
  readonly parentName: string;
  readonly address: string;
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly env: readonly string[];
}

/** The variables by which a linked container is known inside: `ALIAS_PORT_80_TCP=…`, `ALIAS_NAME`, `ALIAS_ENV_…`. */
export function linkVariables(link: LinkedContainer): string[] {
  const prefix = link.alias.toUpperCase().replaceAll("-", "_");
  const ports = sortedPorts(link.exposedPorts);
  const url = ({ number, protocol }: Port): string => `${protocol}://${link.address}:${number}`;
  const key = ({ number, protocol }: Port): string => `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const [lowest] = ports;
  return [
    ...(lowest === undefined ? [] : [`${prefix}_PORT=${url(lowest)}`]),
    ...ranges(ports).flatMap(({ first, last }) => [
      `${key(first)}_START=${url(first)}`,
      `${key(first)}_ADDR=${link.address}`,
      `${key(first)}_PROTO=${first.protocol}`,
      `${key(first)}_PORT_START=${first.number}`,
      `${key(first)}_END=${url(last)}`,
      `${key(first)}_PORT_END=${last.number}`,
    ]),
    ...ports.flatMap((port) => [
      `${key(port)}=${url(port)}`,
      `${key(port)}_ADDR=${link.address}`,
      `${key(port)}_PORT=${port.number}`,
      `${key(port)}_PROTO=${port.protocol}`,
    ]),
    `${prefix}_NAME=/${link.parentName}/${link.alias}`,
    ...link.env.filter((entry) => entry.includes("=") && !/^(HOME|PATH)=/.test(entry)).map((entry) => `${prefix}_ENV_${entry}`),
  ];
}
