/**
 * Checking and making bcrypt hashes (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999), as `htpasswd -B` makes them.
 * Blowfish begins with the digits of pi; they are computed here instead of kept as a table.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";

const subkeys = 18;
const boxWords = 4 * 256;

/** atan(1/x) in units of 2^-bits. */
function arcCotangent(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = power;
  for (let divisor = 3n, sign = -1n; power !== 0n; divisor += 2n, sign = -sign) {
    power /= x * x;
    sum += (sign * power) / divisor;
  }
  return sum;
}

/** The first words behind pi's point, by Machin's formula. */
function piWords(count: number): Int32Array {
  const guardBits = 64n;
  const bits = BigInt(count * 32);
  const one = 1n << (bits + guardBits);
  const pi = 4n * (4n * arcCotangent(5n, one) - arcCotangent(239n, one));
  const hex = ((pi - 3n * one) >> guardBits).toString(16).padStart(count * 8, "0");
  return Int32Array.from({ length: count }, (_, at) => Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16));
}

let pi: Int32Array | undefined;

/** Takes a tenth of a second, which is for the start and not for the first login. */
export function prepareBcrypt(): void {
  pi ??= piWords(subkeys + boxWords);
}

/** One Blowfish key schedule: the subkeys, then the four boxes. */
class Blowfish {
  readonly #p: Int32Array;
  readonly #s: Int32Array;
  /** Where a block is worked on. */
  readonly block: Int32Array = new Int32Array(2);

  constructor() {
    prepareBcrypt();
    this.#p = (pi as Int32Array).slice(0, subkeys);
    this.#s = (pi as Int32Array).slice(subkeys);
  }

  encrypt(): void {
    const [p, s, block] = [this.#p, this.#s, this.block];
    let left = block[0] as number;
    let right = block[1] as number;
    for (let round = 0; round < 16; round += 2) {
      left ^= p[round] as number;
      right ^= mix(s, left);
      right ^= p[round + 1] as number;
      left ^= mix(s, right);
    }
    block[0] = right ^ (p[17] as number);
    block[1] = left ^ (p[16] as number);
  }

  /** @param salt four words; none for the schedule's later rounds */
  expand(key: Int32Array, salt: Int32Array | undefined): void {
    const [p, s, block] = [this.#p, this.#s, this.block];
    for (let at = 0; at < subkeys; at++) p[at] = (p[at] as number) ^ (key[at] as number);
    block.fill(0);
    let turn = 0;
    for (const words of [p, s]) {
      for (let at = 0; at < words.length; at += 2) {
        if (salt !== undefined) {
          block[0] = (block[0] as number) ^ (salt[turn] as number);
          block[1] = (block[1] as number) ^ (salt[turn + 1] as number);
          turn ^= 2;
        }
        this.encrypt();
        words[at] = block[0] as number;
        words[at + 1] = block[1] as number;
      }
    }
  }
}

function mix(s: Int32Array, x: number): number {
  const sum = ((s[x >>> 24] as number) + (s[256 + ((x >>> 16) & 255)] as number)) ^ (s[512 + ((x >>> 8) & 255)] as number);
  return (sum + (s[768 + (x & 255)] as number)) | 0;
}

/** Repeats bytes into eighteen big-endian words. */
function cycled(bytes: Uint8Array): Int32Array {
  let at = 0;
  return Int32Array.from({ length: subkeys }, () => {
    let word = 0;
    for (let count = 0; count < 4; count++) word = (word << 8) | (bytes[at++ % bytes.length] as number);
    return word;
  });
}

const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function encode(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("base64").replaceAll("=", "");
  return text.replaceAll(/./g, (letter) => alphabet[base64.indexOf(letter)] ?? "");
}

function decode(text: string): Buffer {
  return Buffer.from(
    text.replaceAll(/./g, (letter) => base64[alphabet.indexOf(letter)] ?? ""),
    "base64",
  );
}

const shape = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/;
/** 2^17 rounds take seconds; a file that asks for more is a mistake. */
const maxCost = 17;
/** About three milliseconds of work between turns for others. */
const roundsATurn = 64;

export function isBcryptHash(text: string): boolean {
  const cost = Number(shape.exec(text)?.[1]);
  return cost >= 4 && cost <= maxCost;
}

/** Compares in constant time, and lets other work go on meanwhile. */
export async function checkBcrypt(password: string, hash: string): Promise<boolean> {
  const [, cost, saltText = "", expected = ""] = shape.exec(hash) ?? [];
  if (cost === undefined || !isBcryptHash(hash)) return false;
  const made = await digest(password, Number(cost), decode(saltText).subarray(0, 16));
  return timingSafeEqual(made, decode(expected).subarray(0, 23));
}

/** As a line of an htpasswd file has it, behind the colon. */
export async function makeBcrypt(password: string, cost = 10): Promise<string> {
  const salt = randomBytes(16);
  return `$2y$${String(cost).padStart(2, "0")}$${encode(salt)}${encode(await digest(password, cost, salt))}`;
}

/** The 23 bytes of a hash. */
async function digest(password: string, cost: number, salt: Uint8Array): Promise<Buffer> {
  const saltWords = cycled(salt);
  // The terminating zero belongs to the key; of more than 72 bytes the rest is not looked at.
  const key = cycled(Buffer.concat([Buffer.from(password), Buffer.alloc(1)]).subarray(0, 72));
  const cipher = new Blowfish();
  cipher.expand(key, saltWords);
  const rounds = 2 ** cost;
  for (let round = 0; round < rounds; round++) {
    cipher.expand(key, undefined);
    cipher.expand(saltWords, undefined);
    if (round % roundsATurn === roundsATurn - 1) await breathe();
  }
  const made = Buffer.from("OrpheanBeholderScryDoubt");
  for (let at = 0; at < made.length; at += 8) {
    cipher.block[0] = made.readInt32BE(at);
    cipher.block[1] = made.readInt32BE(at + 4);
    for (let count = 0; count < 64; count++) cipher.encrypt();
    made.writeInt32BE(cipher.block[0], at);
    made.writeInt32BE(cipher.block[1], at + 4);
  }
  // One byte of the last block was never a part of the hash.
  return made.subarray(0, 23);
}
