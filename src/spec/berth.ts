/** Answers of Berth's own endpoints, under `/berth/`. */
import type { Digest } from "../base/base.ts";

export interface FileTally {
  /** Names. */
  Count: number;
  /** Bytes of files; one with several names counts once. */
  Size: number;
}

/** `GET /berth/images/{name}/layers`. */
export interface ImageLayers {
  Id: Digest;
  /** Bytes of all layers' tars. */
  Size: number;
  /** Bytes of files that later layers hide. */
  WastedSize: number;
  /** Base first. */
  Layers: {
    DiffID: Digest;
    Size: number;
    CreatedBy: string;
    Added: FileTally;
    Changed: FileTally;
    /** What it takes away from the layers below. */
    Removed: FileTally;
    /** Of its own files, what later layers hide. */
    WastedSize: number;
  }[];
  /** The largest files that a later layer hides; layers by their position, 0 the base. */
  Wasted: { Path: string; Size: number; Layer: number; HiddenBy: number }[];
}

/** With `?files=true`: a line for each path of each layer. */
export interface ImageLayerFile {
  Layer: number;
  Kind: "added" | "changed" | "removed";
  Path: string;
  Type: string;
  Size: number;
}

/** `GET /berth/images/{name}/diff?with=…`: a line for each path. */
export interface ImageDifference {
  Kind: "added" | "changed" | "removed";
  Path: string;
  Type: string;
  /** In which respects a path that both have differs. */
  What: readonly string[];
  FromSize: number;
  ToSize: number;
}

/** `POST /berth/images/gc`. */
export interface ImageCollection {
  /** Nothing was removed: this is what would be. */
  DryRun: boolean;
  Removed: { Id: Digest; Names: string[]; Size: number; LastUsed: string; Reason: "unused-for" | "keep-storage" | "min-free" }[];
  /** Bytes; of a dry run, an estimate. */
  SpaceReclaimed: number;
  /** Bytes of all layers afterwards, each counted once, with their compressed forms. */
  Stored: number;
  /** Bytes that are free on the data root's disk afterwards. */
  Free: number;
  /** Images that were left though the policy would have them go. */
  Kept: { Id: Digest; Names: string[]; Reason: "used" | "pinned" | "parent" | "busy" | "recent" }[];
}
