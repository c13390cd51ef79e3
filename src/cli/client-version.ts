import { version } from "../base/version.ts";
import { apiVersion } from "../client/engine-client.ts";

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
    Version: version.version,
    ApiVersion: apiVersion,
    GitCommit: version.commit,
    BuildTime: version.builtAt,
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    NodeVersion: process.version,
  };
}

export function versionLine(): string {
  const { Version, GitCommit } = clientVersion();
  return `Berth version ${Version}, build ${GitCommit}`;
}
