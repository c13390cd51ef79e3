const unitNanos: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/**
 * Nanoseconds of a duration as Go writes them: `1h15m`, `300ms`, `-1.5s`, `0`.
 * @throws Error with Go's wording
 */
export function parseDuration(text: string): number {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (/^[+-]?0$/.test(text)) return 0;
  if (match === null) {
    const bare = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text);
    throw new Error(`time: ${bare ? "missing unit in" : "invalid"} duration ${JSON.stringify(text)}`);
  }
  let total = 0;
  for (const [, number, unit] of (match[2] ?? "").matchAll(/([\d.]+)([a-zµμ]+)/g)) total += Number(number) * (unitNanos[unit ?? ""] ?? 0);
  return Math.round(match[1] === "-" ? -total : total);
}

/** How long ago or how long for, as Docker's tables say it: the largest unit alone. `seconds` may have a fraction. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < 60) return `${whole} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  // Hours are rounded to the nearest, as an hour and fifty minutes is nearer to two.
  const hours = Math.trunc(seconds / 3600 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(seconds / 3600 / 24 / 365)} years`;
}
