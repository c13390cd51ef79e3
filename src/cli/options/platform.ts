import { invalidParameter } from "../../base/errors.ts";

/** Other names of architectures, with the variant that they imply. */
const architectures: Readonly<Record<string, string>> = {
  i386: "386",
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm/v7",
  armel: "arm/v6",
};
const knownArchitectures = new Set("386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm".split(" "));
const knownSystems = new Set(
  "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows".split(" "),
);

const component = "^[A-Za-z0-9_.-]+$";
const systemComponent = "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.-]*)\\))?$";

function checkPart(part: string, at: number, text: string): string {
  const pattern = at === 0 ? systemComponent : component;
  if (new RegExp(pattern).test(part)) return part.toLowerCase();
  const what = at === 0 ? "an invalid OS component" : "an invalid component";
  const kind = at === 0 ? "OSAndVersion specifier component" : "platform specifier component";
  throw invalidParameter(
    `${JSON.stringify(part)} is ${what} of ${JSON.stringify(text)}: ${kind} must match ${JSON.stringify(pattern)}: invalid argument`,
  );
}

/**
 * `os`, `arch` or `os/arch[/variant]` in its full form, common names of architectures replaced by Go's.
 * @throws InvalidParameter with containerd's wording
 */
export function parsePlatform(text: string): string {
  const parts = text.split("/");
  if (parts.length > 3) throw invalidParameter(`${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`);
  const [first = "", second, third] = parts.map((part, at) => checkPart(part, at, text));
  const system = first === "macos" ? "darwin" : first;
  const architecture = (name: string): string => architectures[name] ?? name;
  if (second !== undefined) {
    return [system, architecture(second), ...(third === undefined ? [] : [third])].join("/");
  }
  if (knownSystems.has(system)) return `${system}/${process.arch === "x64" ? "amd64" : process.arch}`;
  if (knownArchitectures.has(architecture(first).split("/")[0] ?? "")) return `linux/${architecture(first)}`;
  throw invalidParameter(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`);
}
