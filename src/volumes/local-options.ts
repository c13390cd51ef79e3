/** Options of the `local` driver: what to mount as the volume when a container uses it. */
import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { invalidParameter, systemError } from "../base/base.ts";

const known = ["type", "o", "device", "size"];
/** Option → those that it cannot be without, in the order in which they are missed. */
const needs: readonly (readonly [option: string, needed: readonly string[]])[] = [
  ["device", ["type"]],
  ["type", ["device"]],
  ["o", ["device", "type"]],
];

/** @throws InvalidParameter in Docker's words */
export function checkLocalOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of Object.keys(options))
    if (!known.includes(option)) throw invalidParameter(`create ${name}: invalid option: ${JSON.stringify(option)}`);
  for (const [option, needed] of needs) {
    if (options[option] === undefined) continue;
    const missing = needed.find((other) => options[other] === undefined);
    if (missing !== undefined) throw invalidParameter(`create ${name}: missing required option: ${JSON.stringify(missing)}`);
  }
  const { size } = options;
  if (size === undefined) return;
  if (!/^\d+(\.\d+)? ?([kmgtp]i?)?b?$/i.test(size)) throw invalidParameter(`create ${name}: invalid size: '${size}'`);
  if (Number.parseFloat(size) > 0) throw invalidParameter(`create ${name}: quota size requested but no quota support`);
}

/** MS_* of mount(2). */
const flagOf: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 0x10,
  remount: 0x20,
  mand: 0x40,
  dirsync: 0x80,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  rbind: 0x5000,
  unbindable: 0x2_0000,
  runbindable: 0x2_4000,
  private: 0x4_0000,
  rprivate: 0x4_4000,
  slave: 0x8_0000,
  rslave: 0x8_4000,
  shared: 0x10_0000,
  rshared: 0x10_4000,
  relatime: 0x20_0000,
  strictatime: 0x100_0000,
};
const clears: Readonly<Record<string, number>> = {
  defaults: 0,
  rw: 1,
  suid: 2,
  dev: 4,
  exec: 8,
  async: 0x10,
  nomand: 0x40,
  atime: 0x400,
  diratime: 0x800,
  norelatime: 0x20_0000,
  nostrictatime: 0x100_0000,
};

/** The arguments of mount(2). */
export interface LocalMount {
  readonly device: string;
  readonly type: string;
  readonly flags: number;
  readonly data: string;
}

/** A server's name as its address: the kernel's NFS and CIFS clients look up no names. @throws System */
async function withAddress(type: string, words: string): Promise<string> {
  const name = /(?:^|,)addr=([^,]*)/.exec(words)?.[1] ?? "";
  if ((type !== "nfs" && type !== "cifs") || name === "" || isIPv4(name)) return words;
  const { address } = await lookup(name).catch((error: unknown) => {
    throw systemError(`error resolving passed in network volume address: lookup ${name}: no such host`, error);
  });
  return words.replace(`addr=${name}`, `addr=${address}`);
}

/** What the options say to mount, or undefined when the volume is a plain directory. */
export async function localMount(options: Readonly<Record<string, string>>): Promise<LocalMount | undefined> {
  const { device, type } = options;
  if (device === undefined || type === undefined) return undefined;
  let flags = 0;
  const data: string[] = [];
  for (const word of (await withAddress(type, options["o"] ?? "")).split(",").filter(Boolean)) {
    if (Object.hasOwn(flagOf, word)) flags |= flagOf[word] ?? 0;
    else if (Object.hasOwn(clears, word)) flags &= ~(clears[word] ?? 0);
    else data.push(word);
  }
  return { device, type, flags, data: data.join(",") };
}

/** As Docker's errors show a mount, without a password. */
export function describeMount({ device, flags, data }: LocalMount, place: string): string {
  const shownFlags = flags === 0 ? "" : `, flags: 0x${flags.toString(16)}`;
  const shownData = data === "" ? "" : `, data: ${data.replace(/password=[^,]*/, "password=********")}`;
  return `mount ${device}:${place}${shownFlags}${shownData}`;
}
