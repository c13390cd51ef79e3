import { systemError } from "../base/errors.ts";

/** Status line and headers of an answer; header names in lower case. */
export interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: ReadonlyMap<string, string>;
}

export const maxHeadBytes: number = 64 * 1024;

/** Where the head ends (behind the empty line), or -1 while it is incomplete. */
export function headEnd(data: Buffer): number {
  const at = data.indexOf("\r\n\r\n");
  return at < 0 ? -1 : at + 4;
}

/** RFC 9112, sections 4 and 5. @throws System when it is not HTTP/1 */
export function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
  if (match === null) throw systemError(`malformed HTTP response ${JSON.stringify(first.slice(0, 80))}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match[1]), reason: match[2] ?? "", headers };
}
