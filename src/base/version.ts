/** Set by the bundler (tools/build.sh); from the sources there is no build to tell of. */
declare const BERTH_VERSION: string | undefined;
declare const BERTH_COMMIT: string | undefined;
declare const BERTH_BUILT: string | undefined;

interface Version {
  readonly version: string;
  readonly commit: string;
  /** RFC 3339. */
  readonly builtAt: string;
}

export const version: Version = {
  version: typeof BERTH_VERSION === "string" ? BERTH_VERSION : "0.0.0-source",
  commit: typeof BERTH_COMMIT === "string" ? BERTH_COMMIT : "source",
  builtAt: typeof BERTH_BUILT === "string" ? BERTH_BUILT : "1970-01-01T00:00:00Z",
};
