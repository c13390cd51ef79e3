import { systemError } from "../base/errors.ts";

/**
 * Values of a stream of JSON documents, one a line, as events, pull, load and import send them.
 * @throws System for a line that is not JSON
 */
export async function* jsonLines<T>(source: AsyncIterable<Uint8Array>): AsyncGenerator<T, void> {
  const decoder = new TextDecoder();
  let pending = "";
  const parse = (line: string): T => {
    try {
      return JSON.parse(line) as T;
    } catch (error) {
      throw systemError(`the daemon sent something that is not JSON: ${line.slice(0, 80)}`, error);
    }
  };
  for await (const chunk of source) {
    pending += decoder.decode(chunk, { stream: true });
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  if (pending.trim() !== "") yield parse(pending);
}
