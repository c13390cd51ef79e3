/**
 * The room table: which folder stands on which tier. A room imports only rooms of strictly lower tiers.
 * `client` and `cli` are outside the tiers: they know HTTP, nothing of the daemon.
 * tools/tsconfigs.ts writes each room's tsconfig.json from it; test/tidy.test.ts holds the tree to it.
 */
export const tiers: Readonly<Record<string, number>> = {
  base: 0,
  spec: 1,
  kernel: 2,
  content: 2,
  state: 2,
  events: 2,
  logs: 2,
  dns: 2,
  registry: 2,
  layers: 3,
  networks: 3,
  distribution: 3,
  runtime: 3,
  volumes: 3,
  images: 4,
  containers: 4,
  trust: 4,
  engine: 6,
  api: 7,
  daemon: 8,
};

/**
 * Rooms outside the tiers, with all that they may import. The command line speaks to registries itself only in `berth manifest`,
 * as docker's does: lists of manifests are the user's, need no daemon, and the daemon's API cannot put them together.
 */
export const outside: Readonly<Record<string, readonly string[]>> = {
  client: ["base", "spec"],
  cli: ["base", "spec", "client", "distribution"],
};

/** The rooms that `room` may import, in tier order. */
export function allowed(room: string): readonly string[] {
  const tier = tiers[room];
  if (tier === undefined) return outside[room] ?? [];
  return Object.keys(tiers).filter((other) => (tiers[other] ?? tier) < tier);
}
