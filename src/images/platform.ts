/** Which platform an image is for, and which of several this machine takes. Names as Go and OCI have them. */
import { invalidParameter } from "../base/base.ts";
import type { Platform } from "../spec/spec.ts";

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm", ia32: "386", ppc64: "ppc64le" };
const aliases: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  i386: "386",
  armhf: "arm",
  armel: "arm",
};

/** This machine's. */
export const hostPlatform: Platform = { os: "linux", architecture: architectures[process.arch] ?? process.arch };

/**
 * `os[/arch[/variant]]` or a lone architecture.
 * @throws InvalidParameter for another shape or another system than Linux
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3) throw invalidParameter(`${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`);
  const wrong = parts.find((part) => !/^[a-z0-9_-]+$/.test(part));
  if (wrong !== undefined) {
    const shape = 'platform specifier component must match "^[A-Za-z0-9_-]+$": invalid argument';
    throw invalidParameter(`${JSON.stringify(wrong)} is an invalid component of ${JSON.stringify(text)}: ${shape}`);
  }
  const [first = "", second, variant] = parts;
  const lone = second === undefined && first !== "linux" && isArchitecture(first);
  const os = lone ? "linux" : first;
  const architecture = lone ? first : (second ?? hostPlatform.architecture);
  if (os !== "linux") throw invalidParameter("operating system is not supported");
  return {
    os,
    architecture: (Object.hasOwn(aliases, architecture) ? aliases[architecture] : undefined) ?? architecture,
    ...(variant === undefined ? {} : { variant }),
  };
}

function isArchitecture(text: string): boolean {
  return text in aliases || Object.values(architectures).includes(text) || /^(s390x|riscv64|loong64|mips)/.test(text);
}

/** How well `platform` suits this machine: higher is better, 0 not at all. */
export function suitability(platform: Partial<Platform>): number {
  if (platform.os !== undefined && platform.os !== "" && platform.os !== hostPlatform.os) return 0;
  const architecture = aliases[platform.architecture ?? ""] ?? platform.architecture;
  const variant = Number(/^v(\d)/.exec(platform.variant ?? "")?.[1] ?? 0);
  if (architecture === hostPlatform.architecture) {
    // amd64/v3 and the like are built for newer processors: the plain one always runs.
    return architecture === "amd64" && variant > 1 ? 5 : 10;
  }
  if (hostPlatform.architecture === "amd64" && architecture === "386") return 1;
  return 0;
}
