/**
 * Containers: the records, their names and their state machine. What a container *is* lives here; what is
 * done with it (joining images, layers, networks and the runtime) is in `engine/`.
 *
 * A record is made once (`mergeConfig`, `completeHostConfig`), kept by the store in memory and in the
 * database, changed only by the transitions of `state.ts`, and shown by `summary.ts` and `inspect.ts`.
 */
export * from "./container-config.ts";
export * from "./filters.ts";
export * from "./health.ts";
export * from "./host-config.ts";
export * from "./inspect.ts";
export * from "./links.ts";
export * from "./names.ts";
export * from "./prune-filter.ts";
export * from "./record.ts";
export * from "./restart-policy.ts";
export * from "./state.ts";
export * from "./store.ts";
export * from "./summary.ts";
export * from "./update.ts";
