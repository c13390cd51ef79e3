/**
 * A sandbox is what a container has of networks while it runs: its endpoints, in the order of their interfaces. The
 * sandboxes are rows of the database, an endpoint each, so that a daemon that starts knows what running containers have.
 */
import { type ContainerId, transaction } from "../base/base.ts";
import type { Database, NetworkRows } from "../state/state.ts";
import type { PublishedPort } from "./firewall.ts";
import type { Endpoint, KeptAddresses } from "./records.ts";

export interface Sandbox {
  readonly id: string;
  readonly containerId: ContainerId;
  readonly endpoints: readonly Endpoint[];
}

export const portsOf = (sandbox: Sandbox): PublishedPort[] => sandbox.endpoints.flatMap((endpoint) => endpoint.ports);

export class Sandboxes {
  readonly #database: Database;
  readonly #rows: NetworkRows;
  /** As an earlier daemon left them. */
  readonly kept: readonly (KeptAddresses & { readonly containerId: string; readonly networkId: string })[];
  readonly #byContainer = new Map<string, Sandbox>();

  constructor(database: Database, rows: NetworkRows) {
    this.#database = database;
    this.#rows = rows;
    const kept: (KeptAddresses & { containerId: string; networkId: string })[] = [];
    for (const { containerId, networkId, record } of rows.places()) {
      const found = JSON.parse(record) as Endpoint | KeptAddresses;
      if ("kept" in found) kept.push({ ...found, containerId, networkId });
      else this.#add(found);
    }
    this.kept = kept;
  }

  #add(endpoint: Endpoint): void {
    const { containerId, sandboxId } = endpoint;
    const endpoints = [...(this.#byContainer.get(containerId)?.endpoints ?? []), endpoint];
    this.#byContainer.set(containerId, { id: sandboxId, containerId: containerId as ContainerId, endpoints });
  }

  get(containerId: string): Sandbox | undefined {
    return this.#byContainer.get(containerId);
  }

  all(): Sandbox[] {
    return [...this.#byContainer.values()];
  }

  get count(): number {
    return this.#byContainer.size;
  }

  endpointsIn(networkId: string): Endpoint[] {
    const found: Endpoint[] = [];
    for (const { endpoints } of this.#byContainer.values())
      for (const endpoint of endpoints) if (endpoint.networkId === networkId) found.push(endpoint);
    return found;
  }

  /** In memory only, until `put`: nobody else takes what it has meanwhile. */
  hold(sandbox: Sandbox): void {
    this.#byContainer.set(sandbox.containerId, sandbox);
  }

  /** Writes what differs from `written`, or all of it. */
  put(sandbox: Sandbox, written?: Sandbox): void {
    const before = new Set(written?.endpoints ?? []);
    const gone = [...before].filter((old) => sandbox.endpoints.every((endpoint) => endpoint.networkId !== old.networkId));
    const changed = sandbox.endpoints.filter((endpoint) => !before.has(endpoint));
    const write = (): void => {
      for (const endpoint of gone) this.#rows.deletePlaces(sandbox.containerId, endpoint.networkId);
      for (const endpoint of changed)
        this.#rows.putPlace({ containerId: sandbox.containerId, networkId: endpoint.networkId, record: JSON.stringify(endpoint) });
    };
    if (gone.length + changed.length > 1) transaction(this.#database, write);
    else write();
    this.#byContainer.set(sandbox.containerId, sandbox);
  }

  /** From memory; the rows stay until `end`. */
  release(containerId: string): Sandbox | undefined {
    const sandbox = this.#byContainer.get(containerId);
    this.#byContainer.delete(containerId);
    return sandbox;
  }

  /** Nothing of it is left but the addresses that are kept, by network. Not where the container has a sandbox again. */
  end(sandbox: Sandbox, kept: ReadonlyMap<string, readonly string[]>): void {
    const { containerId, endpoints } = sandbox;
    if (this.#byContainer.has(containerId)) return;
    const write = (): void => {
      for (const { networkId } of endpoints) {
        const addresses = kept.get(networkId);
        if (addresses === undefined) this.#rows.deletePlaces(containerId, networkId);
        else this.#rows.putPlace({ containerId, networkId, record: JSON.stringify({ kept: addresses } satisfies KeptAddresses) });
      }
    };
    if (endpoints.length > 1) transaction(this.#database, write);
    else write();
  }
}
