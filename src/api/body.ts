import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { cancelled, invalidParameter, messageOf } from "../base/base.ts";

/** No request that is JSON comes near it; whatever is larger is not read to its end. */
const maxBodyBytes = 4 * 1024 * 1024;

/** So many pieces, each of at most 64 KiB, wait to be taken. As objects: joined, they would be copied once more. */
const bufferedPieces = 8;

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return request.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
}

function assertJsonType(request: IncomingMessage): void {
  const type = request.headers["content-type"] ?? "";
  if (type === "" && !hasBody(request)) return;
  const media = type.split(";", 1)[0]?.trim().toLowerCase();
  if (media !== "application/json") throw invalidParameter(`unsupported Content-Type header (${type}): must be 'application/json'`);
}

/** The whole body, in memory. @throws InvalidParameter when it is too large */
async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyStream(request) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw invalidParameter(`request body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/**
 * The body as a stream that may be left before its end. Destroying node's own would close the connection, and the
 * client would never read why; what is left of this one is dropped and the connection goes on.
 */
export function bodyStream(request: IncomingMessage): Readable {
  const body = new Readable({ objectMode: true, highWaterMark: bufferedPieces, read: () => void request.resume() });
  const take = (chunk: Buffer): void => {
    if (!body.push(chunk)) request.pause();
  };
  request.on("error", () => undefined);
  request.on("data", take).once("end", () => body.push(null));
  request.on("close", () => {
    if (!request.complete) body.destroy(cancelled("unexpected EOF"));
  });
  body.on("close", () => {
    request.off("data", take);
    request.resume();
  });
  return body;
}

/**
 * The body as JSON object; undefined when there is none. Of a key that comes twice the last one counts, as in
 * Docker, and a key that would reach into the prototype is an ordinary one.
 * @throws InvalidParameter for another content type, for what is no JSON, and for JSON that is no object
 */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  assertJsonType(request);
  if (!hasBody(request)) return undefined;
  const text = (await readAll(request)).toString();
  if (text.trim() === "") throw invalidParameter("invalid JSON: got EOF while reading request body");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`invalid JSON: ${complaint(text, messageOf(error))}`, error);
  }
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidParameter(`invalid JSON: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into an object`);
  }
  return value as Record<string, unknown>;
}

/** What is wrong with a text that is no JSON, much as Go says it. @param parser what V8 says */
function complaint(text: string, parser: string): string {
  if (parser.includes("after JSON")) return "unexpected content after JSON";
  const opened = /^\s*[{[]/.test(text);
  const first = text.trim()[0] ?? "";
  return opened ? "unexpected end or invalid character in the request body" : `invalid character '${first}' looking for beginning of value`;
}
