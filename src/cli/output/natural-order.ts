/** Names as people sort them: runs of digits by their value. */
export function byName(a: { readonly Name?: string }, b: { readonly Name?: string }): number {
  const parts = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a.Name ?? ""), parts(b.Name ?? "")];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [one = "", two = ""] = [left[at], right[at]];
    if (one === two) continue;
    const numbers = /^\d/.test(one) && /^\d/.test(two) ? Number(one) - Number(two) : 0;
    return numbers !== 0 ? numbers : one < two ? -1 : 1;
  }
  return left.length - right.length;
}
