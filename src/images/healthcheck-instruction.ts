import { invalidParameter, parseDuration } from "../base/base.ts";
import type { ExecutionConfig } from "../spec/spec.ts";
import { jsonWords } from "./change-instructions.ts";

type Healthcheck = NonNullable<ExecutionConfig["Healthcheck"]>;

const durations: Readonly<Record<string, "Interval" | "Timeout" | "StartPeriod" | "StartInterval">> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/** `NONE`, or `[--interval=… …] CMD …`. @throws InvalidParameter */
export function parseHealthcheck(text: string): Healthcheck {
  const check: Healthcheck = {};
  let rest = text;
  for (;;) {
    const flag = /^--([a-z-]+)=(\S*)\s*/.exec(rest);
    if (flag === null) break;
    setOption(check, flag[1] ?? "", flag[2] ?? "");
    rest = rest.slice(flag[0].length);
  }
  const [, kind = "", command = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  switch (kind.toUpperCase()) {
    case "":
      throw invalidParameter("HEALTHCHECK requires at least one argument");
    case "NONE":
      if (command !== "") throw invalidParameter("HEALTHCHECK NONE takes no arguments");
      return { Test: ["NONE"] };
    case "CMD": {
      const words = jsonWords(command);
      if (command === "" || words?.length === 0) throw invalidParameter("Missing command after HEALTHCHECK CMD");
      return { Test: words === undefined ? ["CMD-SHELL", command] : ["CMD", ...words], ...check };
    }
    default:
      throw invalidParameter(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  }
}

function setOption(check: Healthcheck, name: string, value: string): void {
  if (name === "retries") {
    if (!/^\d+$/.test(value)) throw invalidParameter(`--retries must be an integer: ${value}`);
    check.Retries = Number(value);
    return;
  }
  const member = Object.hasOwn(durations, name) ? durations[name] : undefined;
  if (member === undefined) throw invalidParameter(`unknown flag: --${name}`);
  const nanos = parseDuration(value);
  if (nanos === undefined) throw invalidParameter(`time: ${whyNoDuration(value)} ${JSON.stringify(value)}`);
  if (nanos !== 0 && nanos < 1_000_000) throw invalidParameter(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  check[member] = nanos;
}

/** In Go's words. */
function whyNoDuration(text: string): string {
  const [, unit] = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(?:\d+\.?\d*|\.\d+)([^\d.]*)/.exec(text) ?? [];
  if (unit === undefined) return "invalid duration";
  return unit === "" ? "missing unit in duration" : `unknown unit ${JSON.stringify(unit)} in duration`;
}
