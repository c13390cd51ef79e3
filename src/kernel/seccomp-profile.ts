/**
 * Reads a seccomp profile that the user gives as JSON, in Docker's format (with `archMap`, `includes`, `excludes`)
 * or OCI's, and settles its conditions for one container.
 */
import { createHash } from "node:crypto";
import { invalidParameter } from "../base/base.ts";
import type { SeccompProfile, SeccompRule } from "../spec/spec.ts";
import { type Architecture, isKernelSince } from "./seccomp-default.ts";

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface DockerRule extends Omit<SeccompRule, "names"> {
  readonly name?: string;
  readonly names?: string[];
  readonly includes?: Condition | null;
  readonly excludes?: Condition | null;
}

interface DockerProfile extends Omit<SeccompProfile, "syscalls"> {
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[] | null;
  readonly syscalls?: readonly DockerRule[] | null;
}

const names: Readonly<Record<Architecture, { readonly go: string; readonly scmp: string }>> = {
  x64: { go: "amd64", scmp: "SCMP_ARCH_X86_64" },
  arm64: { go: "arm64", scmp: "SCMP_ARCH_AARCH64" },
};

const isText = (value: unknown): boolean => value == null || typeof value === "string";
const isCode = (value: unknown): boolean => value == null || Number.isInteger(value);
const isList = (value: unknown, isEntry: (entry: unknown) => boolean): boolean =>
  value == null || (Array.isArray(value) && value.every((entry) => entry !== null && isEntry(entry)));
const isRecord = (value: unknown, fields: Readonly<Record<string, (value: unknown) => boolean>>): boolean =>
  typeof value === "object" &&
  Object.entries(fields).every(([name, fits]) => fits((value as Readonly<Record<string, unknown>> | null)?.[name]));
const isTexts = (value: unknown): boolean => isList(value, isText);
const isCondition = (value: unknown): boolean => value == null || isRecord(value, { caps: isTexts, arches: isTexts, minKernel: isText });

/** What each member has to be when it is there. */
const members: Readonly<Record<string, (value: unknown) => boolean>> = {
  defaultErrnoRet: isCode,
  architectures: isTexts,
  flags: isTexts,
  archMap: (maps) => isList(maps, (map) => isRecord(map, { architecture: isText, subArchitectures: isTexts })),
  syscalls: (rules) =>
    isList(rules, (rule) =>
      isRecord(rule, {
        name: isText,
        names: isTexts,
        errnoRet: isCode,
        args: (args) => isList(args, (arg) => isRecord(arg, {})),
        includes: isCondition,
        excludes: isCondition,
      }),
    ),
};

function decode(text: string): DockerProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`Decoding seccomp profile failed: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidParameter("Decoding seccomp profile failed: not an object");
  const profile = value as DockerProfile;
  if (typeof profile.defaultAction !== "string") throw invalidParameter("Decoding seccomp profile failed: defaultAction is missing");
  for (const [what, fits] of Object.entries(members)) {
    if (!fits((value as Readonly<Record<string, unknown>>)[what]))
      throw invalidParameter(`Decoding seccomp profile failed: ${what} has a value of the wrong type`);
  }
  return profile;
}

interface Container {
  readonly capabilities: readonly string[];
  readonly architecture: Architecture;
  readonly release: string;
}

function applies({ includes, excludes }: DockerRule, { capabilities, architecture, release }: Container): boolean {
  const arch = names[architecture].go;
  const has = (name: string): boolean => capabilities.includes(name);
  if (excludes?.arches?.includes(arch) || excludes?.caps?.some(has)) return false;
  if (excludes?.minKernel !== undefined && isKernelSince(release, excludes.minKernel)) return false;
  if (includes?.arches?.length && !includes.arches.includes(arch)) return false;
  if (includes?.caps !== undefined && !includes.caps.every(has)) return false;
  return includes?.minKernel === undefined || isKernelSince(release, includes.minKernel);
}

function ruleOf(rule: DockerRule): SeccompRule {
  if (rule.name && rule.names?.length)
    throw invalidParameter("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'");
  const called = rule.name ? [rule.name] : (rule.names ?? []);
  if (called.some((name) => typeof name !== "string") || typeof rule.action !== "string")
    throw invalidParameter("Decoding seccomp profile failed: a rule without names or action");
  return {
    names: [...called],
    action: rule.action,
    ...(rule.errnoRet == null ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args?.length ? { args: rule.args.map(argumentOf) } : {}),
  };
}

function argumentOf({ index, value, valueTwo, op }: NonNullable<SeccompRule["args"]>[number]): NonNullable<SeccompRule["args"]>[number] {
  if (!Number.isInteger(index) || typeof value !== "number" || typeof op !== "string" || (valueTwo != null && typeof valueTwo !== "number"))
    throw invalidParameter("Decoding seccomp profile failed: a condition that is none");
  return { index, value, op, ...(valueTwo == null ? {} : { valueTwo }) };
}

const parsed = new Map<string, SeccompProfile>();

/**
 * The same text for a like container gives the same object, so that compiled filters are found again.
 * @param capabilities the container's bounding set
 * @throws InvalidParameter
 */
export function parseSeccompProfile(
  text: string,
  capabilities: readonly string[],
  architecture: Architecture,
  release: string,
): SeccompProfile {
  const digest = createHash("sha256").update(text).digest("hex");
  const key = `${architecture} ${release} ${[...capabilities].sort().join(" ")} ${digest}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const profile = decode(text);
  if (profile.architectures?.length && profile.archMap?.length)
    throw invalidParameter("'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'");
  const own = profile.archMap?.find(({ architecture: name }) => name === names[architecture].scmp);
  const architectures = own === undefined ? profile.architectures : [own.architecture, ...(own.subArchitectures ?? [])];
  const result: SeccompProfile = {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet == null ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures == null ? {} : { architectures: [...architectures] }),
    ...(profile.flags == null ? {} : { flags: [...profile.flags] }),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, { capabilities, architecture, release })).map(ruleOf),
  };
  if (parsed.size >= 64) parsed.clear(); // profiles are few; a client that sends ever new ones must not fill the memory
  parsed.set(key, result);
  return result;
}
