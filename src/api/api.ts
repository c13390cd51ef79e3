/**
 * The Engine API over HTTP. A request goes: `server.ts` (node:http, upgrades, limits) → `dispatch.ts` (version,
 * route, errors) → `routes/` (parameters, one file a resource) → a backend of `backend.ts`. What a handler sees
 * is a `Call`: the parsed request and the ways to answer it, from a JSON value to a connection of its own.
 */
export * from "./backend.ts";
export { type ApiOptions, type Backends, createApiServer } from "./server.ts";
export { apiVersion, minimumApiVersion } from "./versions.ts";
