import { randomFillSync } from "node:crypto";

declare const brand: unique symbol;
/** A string that only its own constructor functions make. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 64 lower-case hex digits. */
export type ContainerId = Branded<"ContainerId">;
export type NetworkId = Branded<"NetworkId">;
export type ExecId = Branded<"ExecId">;

const idBytes = 32;
/** Random bytes for ids to come: asking for many at once costs as much as for few. */
const pool: Buffer = Buffer.alloc(idBytes * 64);
let poolAt = pool.length;

/**
 * A new 256-bit id as 64 hex digits. As Docker does, an id whose first twelve digits are all decimal is
 * not given out: as a host name it would read as a number.
 */
export function newId<Name extends string>(): Branded<Name> {
  for (;;) {
    if (poolAt === pool.length) {
      randomFillSync(pool);
      poolAt = 0;
    }
    const id = pool.toString("hex", poolAt, poolAt + idBytes);
    poolAt += idBytes;
    if (!/^[0-9]{12}/.test(id)) return id as Branded<Name>;
  }
}

/** The first 12 digits, as lists show an id. A `sha256:` prefix is dropped. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
