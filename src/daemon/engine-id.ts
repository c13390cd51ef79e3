import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The daemon's identity, the same for ever. */
export function engineId(dataRoot: string): string {
  const path = join(dataRoot, "engine-id");
  if (!existsSync(path)) writeFileSync(path, randomUUID(), { mode: 0o600 });
  return readFileSync(path, "utf8").trim();
}
