import { isEngineError, log, messageOf } from "../base/base.ts";
import type { Call } from "./call.ts";

/** Sends bytes as they come. */
export async function sendBytes(call: Call, type: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  call.open(type);
  for await (const chunk of source) await call.write(chunk);
  call.end();
}

/** Sends each value as a line of JSON, as soon as it comes. */
export async function sendLines(call: Call, source: AsyncIterable<unknown>): Promise<void> {
  call.open("application/json");
  for await (const value of source) await call.write(`${JSON.stringify(value)}\n`);
  call.end();
}

/**
 * Sends the messages of an action that shows its progress. An action that fails before it had anything to say
 * is answered with the error's status; later, the error is the last message, as Docker sends it. `accepted`: it always is.
 */
export async function sendProgress(call: Call, source: AsyncIterable<unknown>, options: { accepted?: boolean } = {}): Promise<void> {
  const messages = source[Symbol.asyncIterator]();
  const first = messages.next();
  // Not before there is something to say: older clients (skopeo's) take an answer's head for its end, and stop sending.
  if (options.accepted === true) await Promise.allSettled([first]);
  else await first;
  call.open("application/json");
  try {
    let next = await first;
    while (next.done !== true) {
      await call.write(`${JSON.stringify(next.value)}\r\n`);
      next = await messages.next();
    }
  } catch (error) {
    await messages.return?.();
    if (call.response.destroyed) return;
    if (!isEngineError(error)) log.error("an action failed with a bug", { path: call.path, error: messageOf(error) });
    const message = messageOf(error);
    await call.write(`${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`);
  }
  call.end();
}
