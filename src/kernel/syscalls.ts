/** System call numbers by architecture, from the table. */
import { syscallWords } from "./syscall-table.ts";

/** Of x32, the numbers are without the bit that marks them. */
export type SyscallArchitecture = "x86_64" | "x86" | "x32" | "aarch64";

function parse(words: string): Map<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of words.split(/\s+/).filter(Boolean)) {
    if (/^\d/.test(word)) next = Number(word);
    else numbers.set(word, next++);
  }
  return numbers;
}

function x32(): Map<string, number> {
  const numbers = new Map(syscallNumbers("x86_64"));
  for (const [name, number] of parse(syscallWords.x32only)) numbers.set(name, number);
  return numbers;
}

const parsed = new Map<SyscallArchitecture, ReadonlyMap<string, number>>();

/** name → number. */
export function syscallNumbers(architecture: SyscallArchitecture): ReadonlyMap<string, number> {
  let numbers = parsed.get(architecture);
  if (numbers === undefined) {
    numbers = architecture === "x32" ? x32() : parse(syscallWords[architecture]);
    parsed.set(architecture, numbers);
  }
  return numbers;
}
