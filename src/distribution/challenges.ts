/** WWW-Authenticate: RFC 9110, section 11.6.1. */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const longest = 8192;

/** Reads what can be read; what cannot ends the list. */
export function challengesOf(header: string | undefined): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  let rest = (header ?? "").slice(0, longest);
  for (;;) {
    rest = rest.replace(/^[\s,]+/, "");
    const parameter = /^([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/.exec(rest);
    const current = found.at(-1);
    if (parameter !== null && current !== undefined) {
      const [whole, name = "", quoted, plain] = parameter;
      current.parameters[name.toLowerCase()] ??= quoted === undefined ? (plain ?? "") : quoted.replace(/\\(.)/g, "$1");
      rest = rest.slice(whole.length);
      continue;
    }
    const scheme = /^([A-Za-z][\w-]*)(?=\s|,|$)/.exec(rest);
    if (scheme === null) return found;
    // Without a prototype: parameters may have any name.
    found.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters: Object.create(null) as Record<string, string> });
    rest = rest.slice(scheme[0].length);
  }
}
