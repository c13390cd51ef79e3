import type { FlagSpec } from "./flags/flag.ts";

/** Flags in front of the verb. Those of TLS and contexts are taken so that they can be refused clearly. */
export const globalFlags: readonly FlagSpec[] = [
  { name: "config", type: "string", help: "Accepted for compatibility", hidden: true },
  { name: "context", short: "c", type: "string", help: "Not supported: there are no contexts", hidden: true },
  { name: "debug", short: "D", type: "bool", help: "Show where errors come from" },
  { name: "help", type: "bool", help: "Print usage", hidden: true },
  { name: "host", short: "H", type: "list", many: true, help: "Daemon socket to connect to" },
  { name: "log-level", short: "l", type: "string", help: 'Level of messages ("debug", "info", "warn", "error", "fatal")', default: "info" },
  { name: "tls", type: "bool", help: "Not supported", hidden: true },
  { name: "tlscacert", type: "string", help: "Not supported", hidden: true },
  { name: "tlscert", type: "string", help: "Not supported", hidden: true },
  { name: "tlskey", type: "string", help: "Not supported", hidden: true },
  { name: "tlsverify", type: "bool", help: "Not supported", hidden: true },
  { name: "version", short: "v", type: "bool", help: "Print version information and quit" },
];
