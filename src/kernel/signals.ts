/** Signal names and numbers as Docker takes them. Source: signal(7); the numbers are those of x86 and arm (and all but alpha, mips, parisc, sparc). */
import { invalidParameter } from "../base/base.ts";

export const sigkill = 9;

const names: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU " +
    "XFSZ VTALRM PROF WINCH IO PWR SYS"
  )
    .split(" ")
    .map((name, index) => [name, index + 1]),
);

const synonyms: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };

/** glibc keeps 32 and 33 for itself; Docker names real-time signals as programs do, each from the end that is nearer. */
const realtimeMin = 34;
const realtimeMax = 64;

function realtime(name: string): number | undefined {
  const match = /^RTM(IN|AX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const distance = Number(match[3] ?? "0");
  const fromMin = match[1] === "IN";
  if (match[2] !== undefined && (match[2] === "+") !== fromMin) return undefined;
  if (distance > (fromMin ? 15 : 14)) return undefined;
  return fromMin ? realtimeMin + distance : realtimeMax - distance;
}

/**
 * The number of a signal given as `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3` or `9`.
 * @throws InvalidParameter `invalid signal: x`, Docker's wording
 */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= realtimeMax) return number;
    throw invalidParameter(`invalid signal: ${text}`);
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const number = Object.hasOwn(names, name) ? names[name] : Object.hasOwn(synonyms, name) ? synonyms[name] : realtime(name);
  if (number === undefined) throw invalidParameter(`invalid signal: ${text}`);
  return number;
}

/** `SIGKILL` for 9; undefined for a number without a name. */
export function signalName(number: number): string | undefined {
  const name = Object.keys(names).find((key) => names[key] === number);
  if (name !== undefined) return `SIG${name}`;
  if (number < realtimeMin || number > realtimeMax) return undefined;
  return number === realtimeMin ? "SIGRTMIN" : `SIGRTMIN+${number - realtimeMin}`;
}
