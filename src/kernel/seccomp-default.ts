/** Puts the default seccomp profile of a container together from the table of facts. */
import type { SeccompProfile, SeccompRule } from "../spec/spec.ts";
import { allowedAlways, allowedOn, allowedSince, allowedWith, cloneNamespaces, deniedFamilies, personalities } from "./seccomp-table.ts";

/** Node's `process.arch` of the machines that Berth runs on. */
export type Architecture = "x64" | "arm64";

const goArchitecture: Readonly<Record<Architecture, string>> = { x64: "amd64", arm64: "arm64" };

/** The machine's own architecture first, then those whose programs it can run too. */
const architectures: Readonly<Record<Architecture, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** All words that a text with braces stands for: `a{,b} c` is a, ab, c. */
function expandWords(text: string): string[] {
  return text.split(/\s+/).filter(Boolean).flatMap(expandBraces);
}

function expandBraces(word: string): string[] {
  const match = /^([^{]*)\{([^}]*)\}(.*)$/.exec(word);
  if (match === null) return [word];
  const [, head = "", choices = "", tail = ""] = match;
  return choices.split(",").flatMap((choice) => expandBraces(head + choice + tail));
}

/** Whether a kernel release such as `6.18.4-arch1` is at least `minimum`, such as `4.8`. */
export function isKernelSince(release: string, minimum: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [needMajor = 0, needMinor = 0] = minimum.split(".").map(Number);
  return major > needMajor || (major === needMajor && minor >= needMinor);
}

const allow = (names: string[], args?: SeccompRule["args"]): SeccompRule => ({
  names,
  action: "SCMP_ACT_ALLOW",
  ...(args === undefined ? {} : { args }),
});

/**
 * Ranges around the denied families, each a rule of its own: conditions on one argument within a rule would be
 * taken as alternatives by runc, so "not 38 and not 40" cannot be said in one.
 */
function socketRules(denied: readonly number[]): SeccompRule[] {
  const rules: SeccompRule[] = [];
  let next = 0;
  for (const family of denied) {
    if (next === 0) rules.push(allow(["socket"], [{ index: 0, value: family, op: "SCMP_CMP_LT" }]));
    else for (let value = next; value < family; value++) rules.push(allow(["socket"], [{ index: 0, value, op: "SCMP_CMP_EQ" }]));
    next = family + 1;
  }
  rules.push(allow(["socket"], [{ index: 0, value: next - 1, op: "SCMP_CMP_GT" }]));
  return rules;
}

function profileOf(capabilities: ReadonlySet<string>, arch: Architecture, release: string): SeccompProfile {
  const names = new Set(Object.values(allowedAlways).flatMap(expandWords));
  const add = (text: string): void => {
    for (const name of expandWords(text)) names.add(name);
  };
  for (const { kernel, names: since } of allowedSince) if (isKernelSince(release, kernel)) add(since);
  for (const [capability, text] of Object.entries(allowedWith)) if (capabilities.has(capability)) add(text);
  for (const { architectures: on, names: text } of allowedOn) if (on.split(" ").includes(goArchitecture[arch])) add(text);
  const rules = [allow([...names].sort()), ...socketRules(deniedFamilies.all)];
  for (const value of personalities) rules.push(allow(["personality"], [{ index: 0, value, op: "SCMP_CMP_EQ" }]));
  if (!capabilities.has("CAP_SYS_ADMIN")) {
    rules.push(allow(["clone"], [{ index: 0, value: cloneNamespaces, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]));
    rules.push({ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 });
  }
  return { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, architectures: [...architectures[arch]], syscalls: rules };
}

const made = new Map<string, SeccompProfile>();

/**
 * Docker's default policy for a container with these capabilities (its bounding set).
 * The same question gives the same object again: compiled filters are kept by it.
 * @param release `uname -r`
 */
export function defaultSeccomp(capabilities: readonly string[], arch: Architecture, release: string): SeccompProfile {
  const relevant = capabilities.filter((name) => Object.hasOwn(allowedWith, name)).sort();
  const key = [arch, release, ...relevant].join(" ");
  let profile = made.get(key);
  if (profile === undefined) {
    profile = profileOf(new Set(relevant), arch, release);
    made.set(key, profile);
  }
  return profile;
}
