/**
 * The Engine API's client, for the CLI and for tests: a small HTTP/1.1 of its own over `node:net` (loading
 * `node:http` would cost a CLI call half of its time), typed requests, JSON lines, framed streams and hijacked
 * connections. One connection a request: on a unix socket it costs less than keeping track of idle ones.
 */
export * from "./address.ts";
export * from "./connection.ts";
export * from "./demultiplex.ts";
export * from "./engine-client.ts";
export * from "./json-lines.ts";
