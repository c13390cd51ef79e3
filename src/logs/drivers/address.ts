import { invalidParameter } from "../../base/base.ts";

export interface ParsedAddress {
  readonly scheme: string;
  /** Without brackets. */
  readonly host: string;
  readonly port?: number;
  readonly path: string;
}

/** `proto://host:port/path`, every part but the first optional. @throws InvalidParameter in Docker's words */
export function parseAddress(text: string, option: string): ParsedAddress {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)(?::([^/]*))?(\/.*)?$/i.exec(text);
  if (match === null) throw invalidParameter(`${option} should be in form proto://address, got ${text}`);
  const [, scheme = "", host = "", port, path = ""] = match;
  if (port !== undefined && !/^\d*$/.test(port))
    throw invalidParameter(`parse ${JSON.stringify(text)}: invalid port ${JSON.stringify(`:${port}`)} after host`);
  return {
    scheme: scheme.toLowerCase(),
    host: host.replace(/^\[(.*)\]$/, "$1"),
    ...(port === undefined || port === "" ? {} : { port: Number(port) }),
    path,
  };
}
