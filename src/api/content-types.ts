import type { Call } from "./call.ts";

const raw = "application/vnd.docker.raw-stream";
const multiplexed = "application/vnd.docker.multiplexed-stream";

/** How a container's output is announced: before 1.42 clients were told that it is raw even where it is framed. */
export const streamType: { readonly raw: string } & ((call: Call, tty: boolean) => string) = Object.assign(
  (call: Call, tty: boolean): string => (tty || call.minor < 42 ? raw : multiplexed),
  { raw },
);
