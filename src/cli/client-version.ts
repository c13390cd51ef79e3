import { apiVersion } from "../client/engine-client.ts";

/** Filled in by the bundler: the package's version and the checkout's commit. */
declare const BERTH_VERSION: string | undefined;
declare const BERTH_COMMIT: string | undefined;
declare const BERTH_BUILT: string | undefined;

export interface ClientVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly GitCommit: string;
  readonly BuildTime: string;
  readonly Os: string;
  readonly Arch: string;
  readonly NodeVersion: string;
}

export function clientVersion(): ClientVersion {
  return {
    Version: typeof BERTH_VERSION === "string" ? BERTH_VERSION : "0.0.0-source",
    ApiVersion: apiVersion,
    GitCommit: typeof BERTH_COMMIT === "string" ? BERTH_COMMIT : "source",
    BuildTime: typeof BERTH_BUILT === "string" ? BERTH_BUILT : "",
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    NodeVersion: process.version,
  };
}

export function versionLine(): string {
  const { Version, GitCommit } = clientVersion();
  return `Berth version ${Version}, build ${GitCommit}`;
}
