import { isIP } from "node:net";
import { log, messageOf } from "../base/base.ts";
import { splitHostPort } from "./serve-metrics.ts";

/**
 * Serves a registry in this process until it is disposed of. Its code is loaded only where it is asked for.
 * @throws Error when it cannot listen or another process uses its folder
 */
export async function serveRegistry(address: string, root: string): Promise<AsyncDisposable> {
  const { openRegistry } = await import("../registry/registry.ts");
  try {
    const target = splitHostPort(address);
    const registry = await openRegistry({ root, address: target });
    const isLocal = target.host === "localhost" || (isIP(target.host) !== 0 && /^(127\.|::1$)/.test(target.host));
    if (!isLocal) log.warn("the registry takes pushes and pulls from everybody who reaches it", { address });
    log.info(`registry listening on ${target.host}:${registry.port}`, { root });
    return registry;
  } catch (error) {
    throw new Error(`failed to start the registry: ${messageOf(error)}`, { cause: error });
  }
}
