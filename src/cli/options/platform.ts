import { invalidParameter } from "../../base/errors.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { ExitError } from "../command.ts";

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

/** The same as JSON, as the endpoints of images take it. */
function platformJson(text: string): string {
  const [os, architecture, variant] = parsePlatform(text).split("/");
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}

/**
 * The parameter `name` of a request, from what `--platform` was given.
 * @param since the minor version of the API that has it
 * @throws InvalidParameter for what is no platform, ExitError when the daemon is too old
 */
export async function platformQuery<Name extends string>(
  client: EngineClient,
  name: Name,
  texts: readonly string[],
  since: number,
): Promise<{ [key in Name]?: readonly string[] }> {
  const given = texts.filter((text) => text !== "").map(platformJson);
  if (given.length === 0) return {};
  const version = await client.version();
  if (Number(version.split(".")[1]) < since)
    throw new ExitError(1, `"platform" requires API version 1.${since}, but the Docker daemon API version is ${version}`);
  return { [name]: given } as unknown as { [key in Name]?: readonly string[] };
}
