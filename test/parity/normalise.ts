/**
 * What may differ between two runs of the same commands, replaced by what may not: ids by the step that
 * showed them first (so that it is still seen whether `ps` prints the id that `run` printed), times, ages, sizes, addresses and
 * process ids by their kind. JSON is laid out one field a line, so that a difference has a line of its own.
 */

/** Folders of a run, each with the name that stands for it. */
export type Folders = readonly (readonly [path: string, name: string])[];

/** Fields of JSON whose value is an accident of the run, by their name. Zero and empty values say something, and are kept. */
const accidental: Readonly<Record<string, string>> = {
  DockerVersion: "<version>",
  Pid: "<pid>",
  SandboxKey: "<sandbox>",
  MacAddress: "<mac>",
  Size: "<size>",
  size: "<size>",
  SizeRw: "<size>",
  SizeRootFs: "<size>",
  VirtualSize: "<size>",
  SharedSize: "<size>",
  Created: "<time>",
  CreatedAt: "<time>",
  Data: "<data>",
  time: "<time>",
  timeNano: "<time>",
};

export class Normaliser {
  readonly #folders: Folders;
  /** Ids in the order of their appearance, each with the name that stands for it. */
  readonly #ids: { id: string; name: string }[] = [];
  #step = 0;
  #seen = 0;

  constructor(folders: Folders) {
    this.#folders = [...folders].sort(([a], [b]) => b.length - a.length);
  }

  /** Goes on to the next step. */
  next(): void {
    this.#step++;
    this.#seen = 0;
  }

  stdout(text: string): string {
    return text.split("\n").some((line) => /^\s*[[{]/.test(line)) ? this.#json(text) : this.#text(text);
  }

  /** Sizes in messages are limits, which must agree; a client that ends may or may not get to say that a pipe broke. */
  stderr(text: string): string {
    return this.#text(text.replaceAll(/^time=.*: io: read\/write on closed pipe"\n/gm, ""), false);
  }

  #json(text: string): string {
    try {
      return `${this.#layOut(JSON.parse(text), "")}\n`;
    } catch {
      // Not one document: perhaps one a line.
    }
    return text
      .split("\n")
      .map((line) => {
        try {
          return /^[[{]/.test(line) ? this.#layOut(JSON.parse(line), "") : this.#text(line);
        } catch {
          return this.#text(line);
        }
      })
      .join("\n");
  }

  #layOut(value: unknown, indent: string, key = ""): string {
    const inner = `${indent}  `;
    if (Array.isArray(value) && value.length > 0) {
      return `[\n${value.map((item) => `${inner}${this.#layOut(item, inner)}`).join(",\n")}\n${indent}]`;
    }
    const kind = Object.hasOwn(accidental, key) ? accidental[key] : undefined;
    if (typeof value === "object" && value !== null && Object.keys(value).length > 0 && !Array.isArray(value)) {
      if (kind !== undefined) return kind;
      const fields = Object.entries(value).map(([name, item]) => `${inner}${this.#text(name)}: ${this.#layOut(item, inner, name)}`);
      return `{\n${fields.join(",\n")}\n${indent}}`;
    }
    if (kind !== undefined && (typeof value === "number" ? value !== 0 : /\d/.test(String(value)))) return kind;
    return this.#text(JSON.stringify(value));
  }

  #id(found: string): string {
    let known = this.#ids.find(({ id }) => id.startsWith(found) || found.startsWith(id));
    if (known === undefined) {
      known = { id: found, name: `id ${this.#step}.${++this.#seen}` };
      this.#ids.push(known);
    }
    const long = found.length === 64;
    if (long) known.id = found;
    return long ? `<${known.name}>` : `<short ${known.name}>`;
  }

  #text(text: string, sizes = true): string {
    let result = text;
    for (const [path, name] of this.#folders) result = result.replaceAll(path, name);
    if (sizes) result = result.replaceAll(/(?<![\w.])(?!0B)\d+(\.\d+)?(B|kB|MB|GB)\b/g, "<size>");
    return result
      .replaceAll(/(?<![0-9a-zA-Z])([0-9a-f]{64}|[0-9a-f]{12})(?![0-9a-zA-Z])/g, (found) => this.#id(found))
      .replaceAll(/(?!0001)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>")
      .replaceAll(/(?!0001)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]{3,}/g, "<time>")
      .replaceAll(/Less than a second|About (a minute|an hour)|\d+ (seconds?|minutes?|hours?)\b/g, "<age>")
      .replaceAll(/(?<!\d)1\d{9}\.\d{9}\b/g, "<time>")
      .replaceAll(/(execDuration\W+)\d+/g, "$1<seconds>")
      .replaceAll(/docker-import-\d+/g, "docker-import-<number>")
      .replaceAll(/(from 0\.01 to )[\d.]+, as there are only \d+ CPUs/g, "$1<cpus>")
      .replaceAll(/(available: )0(-\d+)?/g, "$10<more>")
      .replaceAll(/\b172\.\d+\.\d+\.\d+\b/g, "<address>")
      .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>")
      .replaceAll(/ {3,}/g, "   ")
      .replaceAll(/ +$/gm, "");
  }
}
