import type { FlagSpec } from "./flags/flag.ts";

/** Flags in front of the verb. */
export const globalFlags: readonly FlagSpec[] = [
  { name: "config", type: "string", help: "Folder of the client's configuration (default ~/.docker)" },
  { name: "context", short: "c", type: "string", help: "Name of the context to use (overrides DOCKER_HOST and 'berth context use')" },
  { name: "debug", short: "D", type: "bool", help: "Show where errors come from" },
  { name: "help", type: "bool", help: "Print usage", hidden: true },
  { name: "host", short: "H", type: "list", many: true, help: "Daemon socket to connect to" },
  { name: "log-level", short: "l", type: "string", help: 'Level of messages ("debug", "info", "warn", "error", "fatal")', default: "info" },
  { name: "tls", type: "bool", help: "Use TLS; implied by --tlsverify" },
  { name: "tlscacert", type: "string", help: "Trust certs signed only by this CA (default ~/.docker/ca.pem)" },
  { name: "tlscert", type: "string", help: "Path to TLS certificate file (default ~/.docker/cert.pem)" },
  { name: "tlskey", type: "string", help: "Path to TLS key file (default ~/.docker/key.pem)" },
  { name: "tlsverify", type: "bool", help: "Use TLS and verify the remote" },
  { name: "version", short: "v", type: "bool", help: "Print version information and quit" },
];
