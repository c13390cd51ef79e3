/**
 * Whether a name matches a shell pattern, with the rules of Go's path.Match, which Docker's filters have:
 * `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a backslash takes the next letter as it is.
 */
export function globMatches(pattern: string, name: string): boolean {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at] ?? "";
    if (letter === "*") source += "[^/]*";
    else if (letter === "?") source += "[^/]";
    else if (letter === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end < 0) return false;
      const negated = pattern[at + 1] === "^";
      source += `[${negated ? "^" : ""}${pattern.slice(at + (negated ? 2 : 1), end).replace(/[[\]^\\]/g, "\\$&")}]`;
      at = end;
    } else {
      if (letter === "\\") at++;
      source += (pattern[at] ?? "").replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  try {
    return new RegExp(`^${source}$`).test(name);
  } catch {
    return false;
  }
}
