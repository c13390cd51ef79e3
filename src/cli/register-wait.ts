import type { EngineClient } from "../client/engine-client.ts";
import type { ContainerWaitResponse } from "../spec/spec.ts";
import { ExitError } from "./command.ts";

/**
 * Asks for the exit status of a container before it is started, so that the shortest life is not missed.
 * @returns a function that waits for it; it throws ExitError when the daemon could not tell
 */
export async function registerWait(client: EngineClient, id: string, condition: string): Promise<() => Promise<number>> {
  const response = await client.call("POST", `/containers/${id}/wait`, { query: { condition } });
  return async () => {
    let text = "";
    for await (const chunk of response.body) text += chunk.toString();
    const result = JSON.parse(text) as ContainerWaitResponse;
    const problem = result.Error?.Message ?? "";
    if (problem !== "") throw new ExitError(125, `Error waiting for container: ${problem}`);
    return result.StatusCode;
  };
}
