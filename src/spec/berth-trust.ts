/** Answers of Berth's own endpoints for signatures. */
import type { Digest } from "../base/base.ts";

/** `GET /berth/trust/{name}`: what is there, nothing of it verified. */
export interface TrustInspect {
  Name: string;
  Digest: Digest;
  /** What the daemon's policy says of the repository. */
  Policy: string;
  Signatures: TrustClaim[];
}

export interface TrustClaim {
  /** Of the payload that is signed. */
  Payload: Digest;
  Identity: string;
  Annotations: Record<string, unknown>;
}

/** `POST /berth/trust/{name}/verify`: the signatures that hold. */
export interface TrustVerified {
  Name: string;
  Digest: Digest;
  Signatures: (TrustClaim & { Key: string })[];
}
