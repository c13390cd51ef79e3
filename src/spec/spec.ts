/** Other people's contracts as types: Docker's Engine API, the OCI image format and the OCI runtime configuration; and Berth's own. */
export type * from "./berth.ts";
export type * from "./berth-trust.ts";
export type * from "./docker.ts";
export * from "./oci-image.ts";
export type * from "./oci-runtime.ts";
