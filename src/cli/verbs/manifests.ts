/** `berth manifest`: lists of manifests, put together here and pushed to a registry. */
import { messageOf } from "../../base/errors.ts";
import { parseReference, type Reference, withDefaultTag } from "../../base/reference.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import type { FlagSpec, FlagValues } from "../flags/flag.ts";
import { ManifestStore } from "../manifests/manifest-store.ts";
import type { Registries } from "../manifests/registry.ts";
import { fullName, inOrder, listOf, type StoredManifest } from "../manifests/stored-manifest.ts";
import { indentJson } from "../output/indent-json.ts";

const insecureFlag: FlagSpec = { name: "insecure", type: "bool", help: "Let the registry speak HTTP, or have any certificate" };

const storeOf = (context: Context): ManifestStore => new ManifestStore(context.configuration().folder);

function named(text: string, what?: string): Reference {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    throw what === undefined ? error : new ExitError(1, `${what} ${text}: ${messageOf(error)}`);
  }
}

/** Loaded only where a registry is to be asked. */
async function registries(context: Context, flags: FlagValues, ...references: Reference[]): Promise<Registries> {
  const { Registries } = await import("../manifests/registry.ts");
  return await Registries.open(context, flags.bool("insecure") ? references : []);
}

export const create: Command = {
  usage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
  args: { least: 2 },
  flags: [{ name: "amend", short: "a", type: "bool", help: "Add to a list that is there" }, insecureFlag],
  async run(context, flags, [listName = "", ...names]) {
    const store = storeOf(context);
    const list = named(listName, "error parsing name for manifest list");
    if (store.find(list) !== undefined && !flags.bool("amend"))
      throw new ExitError(1, "refusing to amend an existing manifest list with no --amend flag");
    const references = names.map((name) => named(name));
    await using asked = await registries(context, flags, ...references);
    for (const reference of references) store.save(list, reference, store.manifest(list, reference) ?? (await asked.image(reference)));
    context.out(`Created manifest list ${fullName(list)}\n`);
    return 0;
  },
};

const known: Readonly<Record<string, string>> = {
  darwin: "386 amd64 arm arm64",
  dragonfly: "amd64",
  freebsd: "386 amd64 arm",
  linux: "386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x",
  netbsd: "386 amd64 arm",
  openbsd: "386 amd64 arm",
  plan9: "386 amd64",
  solaris: "amd64",
  windows: "386 amd64 arm arm64",
};

export const annotate: Command = {
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
  args: { least: 2, most: 2 },
  flags: [
    { name: "arch", type: "string", help: "The architecture that the image is for" },
    { name: "os", type: "string", help: "The operating system that the image is for" },
    { name: "os-features", type: "strings", many: true, help: "What the operating system must have" },
    { name: "os-version", type: "string", help: "The operating system's version" },
    { name: "variant", type: "string", help: "The architecture's variant" },
  ],
  async run(context, flags, [listName = "", name = ""]) {
    const store = storeOf(context);
    const list = named(listName, "annotate: error parsing name for manifest list");
    const reference = named(name, "annotate: error parsing name for manifest");
    const stored = store.manifest(list, reference);
    if (stored === undefined) throw new ExitError(1, `manifest for image ${name} does not exist in ${listName}`);
    const said = (flag: string): string | undefined => flags.string(flag) || undefined;
    const before = stored.Descriptor.platform;
    const platform = inOrder({
      ...before,
      ...given("architecture", said("arch")),
      ...given("os", said("os")),
      ...given("variant", said("variant")),
      ...given("os.version", said("os-version")),
      "os.features": [...new Set([...(before?.["os.features"] ?? []), ...flags.list("os-features")])],
    });
    if (!known[platform.os]?.split(" ").includes(platform.architecture))
      throw new ExitError(1, `manifest entry for image has unsupported os/arch combination: ${flags.string("os")}/${flags.string("arch")}`);
    store.save(list, reference, { ...stored, Descriptor: { ...stored.Descriptor, platform } });
    return 0;
  },
};

function given<Name extends string>(name: Name, value: string | undefined): { [name in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: string });
}

export const inspect: Command = {
  usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
  args: { least: 1, most: 2 },
  flags: [insecureFlag, { name: "verbose", short: "v", type: "bool", help: "Also what is known of layers and platforms" }],
  async run(context, flags, names) {
    const store = storeOf(context);
    const [first, second] = names.map((name) => named(name));
    if (first === undefined) throw new Error("a command was run without its argument");
    if (second !== undefined) {
      const stored = store.manifest(first, second);
      if (stored === undefined) throw new ExitError(1, `No such manifest: ${fullName(second)}`);
      show(context, flags, stored);
      return 0;
    }
    const found = store.find(first);
    if (found !== undefined) {
      show(context, flags, found);
      return 0;
    }
    await using asked = await registries(context, flags, first);
    show(context, flags, await asked.inspect(first));
    return 0;
  },
};

function show(context: Context, flags: FlagValues, found: StoredManifest | readonly StoredManifest[]): void {
  if (flags.bool("verbose")) context.out(`${JSON.stringify(found, undefined, "\t")}\n`);
  else if ("Raw" in found) context.out(`${indentJson(Buffer.from(found.Raw, "base64").toString(), "\t")}\n`);
  else context.out(`${listOf(found).text}\n`);
}

export const push: Command = {
  usage: "[OPTIONS] MANIFEST_LIST",
  args: { least: 1, most: 1 },
  flags: [
    { ...insecureFlag, help: "Let the registry speak HTTP, or have any certificate" },
    { name: "purge", short: "p", type: "bool", help: "Delete the list here when it is pushed" },
  ],
  async run(context, flags, [listName = ""]) {
    const store = storeOf(context);
    const list = named(listName);
    const manifests = store.list(list).map((stored) => ({ stored, from: parseReference(stored.Ref) }));
    await using asked = await registries(context, flags, list);
    const digest = await asked.push(list, manifests);
    if (flags.bool("purge")) store.remove(list);
    context.out(`${digest}\n`);
    return 0;
  },
};

export const rm: Command = {
  usage: "MANIFEST_LIST [MANIFEST_LIST...]",
  args: { least: 1 },
  flags: [],
  async run(context, _flags, names) {
    const store = storeOf(context);
    const failures: string[] = [];
    for (const name of names) {
      try {
        const list = named(name);
        store.list(list);
        store.remove(list);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
    return 0;
  },
};
