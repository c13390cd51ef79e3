/** Values of driver options, as Go's strconv takes them, with its words for what it does not take. */
import { type EngineError, invalidParameter } from "../base/base.ts";

const truths: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);

/** Undefined: the text means neither. */
export const goBoolean = (text: string): boolean | undefined => (Object.hasOwn(truths, text) ? truths[text] : undefined);

export const notParsed = (label: string, value: string, why: string): EngineError =>
  invalidParameter(`failed to parse ${label} value: ${value} (${why})`);

/** @throws InvalidParameter */
export function booleanOption(label: string, value: string): boolean {
  const truth = goBoolean(value);
  if (truth === undefined) throw notParsed(label, value, `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
  return truth;
}

/** @throws InvalidParameter */
export function integerOption(label: string, value: string): number {
  if (!/^[+-]?\d+$/.test(value)) throw notParsed(label, value, `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
  if (!Number.isSafeInteger(Number(value)))
    throw notParsed(label, value, `strconv.Atoi: parsing ${JSON.stringify(value)}: value out of range`);
  return Number(value);
}
