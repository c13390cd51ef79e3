import { invalidParameter } from "../base/base.ts";
import type { Call } from "./call.ts";

function cells(call: Call, parameter: string, name: string): number {
  const text = call.query.text(parameter);
  const complaint = `invalid resize ${name} ${JSON.stringify(text)}`;
  if (!/^\d+$/.test(text)) throw invalidParameter(`${complaint}: invalid syntax`);
  if (Number(text) > 0xffff_ffff) throw invalidParameter(`${complaint}: value out of range`);
  return Number(text);
}

/** The size of a terminal from `h` and `w`. */
export function windowSize(call: Call): { rows: number; columns: number } {
  return { rows: cells(call, "h", "height"), columns: cells(call, "w", "width") };
}
