/**
 * The fields of one line of comma-separated values, quoted where they hold commas (RFC 4180), as the
 * advanced forms of `--mount`, `--network` and `--gpus` take them.
 * @throws Error with the wording of Go's reader
 */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      const match = /"((?:[^"]|"")*)"(?=,|$)/y;
      match.lastIndex = at;
      const found = match.exec(line);
      if (found === null) throw new Error(`parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`);
      fields.push((found[1] ?? "").replaceAll('""', '"'));
      at += found[0].length;
    } else {
      const comma = line.indexOf(",", at);
      const field = line.slice(at, comma < 0 ? line.length : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw new Error(`parse error on line 1, column ${at + quote + 1}: bare " in non-quoted-field`);
      fields.push(field);
      at += field.length;
    }
    if (at >= line.length) return fields;
    at++;
  }
}
