import { show } from "./values.ts";

function pad(text: string, flags: string, width: number): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0")) return " ".repeat(missing) + text;
  return /^[+-]/.test(text) ? text.slice(0, 1) + "0".repeat(missing) + text.slice(1) : "0".repeat(missing) + text;
}

const goType = (value: unknown): string => {
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (typeof value === "boolean") return "bool";
  return value === null || value === undefined ? "<nil>" : typeof value;
};

function verb(letter: string, value: unknown, flags: string, precision: number | undefined): string {
  const wrong = `%!${letter}(${goType(value)}=${show(value)})`;
  const number = typeof value === "number" || typeof value === "bigint" ? value : undefined;
  const sign = flags.includes("+") && number !== undefined && number >= 0 ? "+" : "";
  switch (letter) {
    case "v":
      return sign + show(value ?? null);
    case "s": {
      const text = typeof value === "string" || typeof value === "object" ? show(value) : wrong;
      return precision === undefined ? text : [...text].slice(0, precision).join("");
    }
    case "q":
      return typeof value === "string" ? JSON.stringify(value) : typeof value === "number" ? `'${String.fromCodePoint(value)}'` : wrong;
    case "d":
      return number !== undefined && (typeof number === "bigint" || Number.isInteger(number)) ? sign + show(number) : wrong;
    case "t":
      return typeof value === "boolean" ? String(value) : wrong;
    case "x":
    case "X": {
      const text = number !== undefined ? number.toString(16) : typeof value === "string" ? Buffer.from(value).toString("hex") : undefined;
      return text === undefined ? wrong : letter === "X" ? text.toUpperCase() : text;
    }
    case "o":
    case "b":
      return number === undefined ? wrong : number.toString(letter === "o" ? 8 : 2);
    case "c":
      return typeof value === "number" ? String.fromCodePoint(value) : wrong;
    case "f":
    case "F":
      return number === undefined ? wrong : sign + Number(number).toFixed(precision ?? 6);
    case "e":
      return number === undefined
        ? wrong
        : Number(number)
            .toExponential(precision ?? 6)
            .replace(/e([+-])(\d)$/, "e$10$2");
    case "g":
      return number === undefined ? wrong : show(Number(number));
    case "T":
      return goType(value);
    default:
      return `%!${letter}(${goType(value)}=${show(value)})`;
  }
}

/** Go's fmt.Sprintf for the verbs that make sense for JSON values. */
export function printf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])/g,
    (all: string, flags: string, width: string | undefined, precision: string | undefined, letter: string) => {
      if (letter === "%") return "%";
      const columns = width === "*" ? Number(args[next++]) : Number(width ?? 0);
      const digits = /\./.test(all) ? (precision === "*" ? Number(args[next++]) : Number(precision ?? 0)) : undefined;
      if (next >= args.length) return `%!${letter}(MISSING)`;
      return pad(verb(letter, args[next++], flags, digits), flags, columns);
    },
  );
  if (next >= args.length) return text;
  return `${text}%!(EXTRA ${args
    .slice(next)
    .map((arg) => `${goType(arg)}=${show(arg)}`)
    .join(", ")})`;
}
