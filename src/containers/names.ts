import { randomInt } from "node:crypto";
import { invalidParameter } from "../base/base.ts";
import { adjectives, surnames } from "./name-words.ts";

const shape = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * Checks a name as the client gave it, with or without its leading slash.
 * @returns it without
 * @throws InvalidParameter with Docker's wording
 */
export function checkName(name: string): string {
  const bare = name.startsWith("/") ? name.slice(1) : name;
  if (!shape.test(bare)) throw invalidParameter(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return bare;
}

/** A free random name, `adjective_surname`; a digit is added when tries run out, as Docker does. */
export function generateName(isTaken: (name: string) => boolean): string {
  for (let tries = 0; ; tries++) {
    const adjective = adjectives[randomInt(adjectives.length)];
    const surname = surnames[randomInt(surnames.length)];
    const name = `${adjective}_${surname}${tries < 6 ? "" : randomInt(10 ** Math.min(tries - 5, 9))}`;
    if (!isTaken(name)) return name;
  }
}
