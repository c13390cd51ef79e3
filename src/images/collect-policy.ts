/** The words in which an administrator says how much room images may take. */
import { invalidParameter, parseBytes, parseDuration } from "../base/base.ts";
import type { CollectPolicy } from "./collect.ts";

/** By the names that flags, daemon.json and the API have for them; "" is as good as none. */
export interface PolicyWords {
  readonly "keep-storage"?: string;
  readonly "min-free"?: string;
  readonly "unused-for"?: string;
  readonly recent?: string;
  readonly pins?: readonly string[];
}

/** @throws InvalidParameter for sizes and durations that are none */
export function parseCollectPolicy(words: PolicyWords): CollectPolicy {
  const { pins = [] } = words;
  const [keep = "", free = "", unused = "", recent = ""] = [words["keep-storage"], words["min-free"], words["unused-for"], words.recent];
  return {
    pins,
    ...(keep === "" ? {} : { keepStorageBytes: parseBytes(keep) }),
    ...(free === "" ? {} : { minFree: parseShare(free) }),
    ...(unused === "" ? {} : { unusedForNanos: parseNanos("unused-for", unused) }),
    ...(recent === "" ? {} : { recentNanos: parseNanos("recent", recent) }),
  };
}

/** False: nothing would ever be removed. */
export function asksForAnything({ keepStorageBytes, minFree, unusedForNanos }: CollectPolicy): boolean {
  return keepStorageBytes !== undefined || minFree !== undefined || unusedForNanos !== undefined;
}

function parseShare(text: string): NonNullable<CollectPolicy["minFree"]> {
  const percent = /^(\d{1,2}(?:\.\d+)?)%$/.exec(text)?.[1];
  return percent === undefined ? { bytes: parseBytes(text) } : { part: Number(percent) / 100 };
}

/** A duration as Go writes it, or days: `36h`, `7d`. */
function parseNanos(name: string, text: string): bigint {
  const days = /^(\d+)d$/.exec(text)?.[1];
  const nanos = days === undefined ? parseDuration(text) : Number(days) * 86_400e9;
  if (nanos === undefined || nanos < 0) throw invalidParameter(`invalid ${name}: ${JSON.stringify(text)} is no duration`);
  return BigInt(nanos);
}
