import { type Command, ExitError } from "../command.ts";
import type { FlagSpec } from "../flags/flag.ts";
import { filtersQuery } from "../flags/list-flags.ts";
import { type PruneRequest, pruneObjects } from "../prune-objects.ts";

const pruneFilterFlag: FlagSpec = {
  name: "filter",
  type: "filter",
  many: true,
  help: 'Remove only what meets the condition (e.g. "until=<timestamp>")',
};
const labelFilterFlag: FlagSpec = { ...pruneFilterFlag, help: 'Remove only what meets the condition (e.g. "label=<key>=<value>")' };
const forceFlag: FlagSpec = { name: "force", short: "f", type: "bool", help: "Do not ask before" };

const noArguments = { usage: "[OPTIONS]", args: { least: 0, most: 0 } } as const;

export const containers: Command = {
  ...noArguments,
  flags: [pruneFilterFlag, forceFlag],
  run: (context, flags) =>
    pruneObjects(context, [{ kind: "containers", filters: filtersQuery(flags) }], {
      force: flags.bool("force"),
      warning: "WARNING! This will remove all stopped containers.",
    }),
};

export const images: Command = {
  ...noArguments,
  flags: [
    { name: "all", short: "a", type: "bool", help: "Remove all images that nothing uses, not just those without a name" },
    pruneFilterFlag,
    forceFlag,
  ],
  run: (context, flags) => {
    const all = flags.bool("all");
    return pruneObjects(context, [{ kind: "images", filters: filtersQuery(flags, [["dangling", String(!all)]]) }], {
      force: flags.bool("force"),
      warning: all
        ? "WARNING! This will remove all images without at least one container associated to them."
        : "WARNING! This will remove all dangling images.",
    });
  },
};

export const networks: Command = {
  ...noArguments,
  flags: [pruneFilterFlag, forceFlag],
  run: (context, flags) =>
    pruneObjects(context, [{ kind: "networks", filters: filtersQuery(flags) }], {
      force: flags.bool("force"),
      warning: "WARNING! This will remove all custom networks not used by at least one container.",
      space: false,
    }),
};

export const volumes: Command = {
  ...noArguments,
  flags: [
    { name: "all", short: "a", type: "bool", help: "Remove all volumes that nothing uses, not just anonymous ones" },
    { ...labelFilterFlag, help: 'Remove only what meets the condition (e.g. "label=<label>")' },
    forceFlag,
  ],
  run: async (context, flags) => {
    const all = flags.bool("all");
    // Daemons before API 1.42 remove volumes with a name too.
    const version = Number((await context.client().version()).split(".")[1]);
    if (flags.changed("all") && version < 42)
      throw new ExitError(1, `"--all" requires API version 1.42, but the Docker daemon API version is 1.${version}`);
    if (all && flags.list("filter").some((text) => /^all=/.test(text)))
      throw new ExitError(1, "conflicting options: cannot specify both --all and --filter all=1");
    return pruneObjects(context, [{ kind: "volumes", filters: filtersQuery(flags, all ? [["all", "true"]] : []) }], {
      force: flags.bool("force"),
      warning: `WARNING! This will remove ${version >= 42 && !all ? "anonymous" : "all"} local volumes not used by at least one container.`,
    });
  },
};

export const system: Command = {
  ...noArguments,
  flags: [
    { name: "all", short: "a", type: "bool", help: "Remove all images that nothing uses, not just those without a name" },
    labelFilterFlag,
    forceFlag,
    { name: "volumes", type: "bool", help: "Remove anonymous volumes too" },
  ],
  run: async (context, flags) => {
    const all = flags.bool("all");
    const withVolumes = flags.bool("volumes");
    const filters = filtersQuery(flags);
    if (withVolumes && flags.list("filter").some((text) => /^until=/.test(text)))
      throw new ExitError(1, 'ERROR: The "until" filter is not supported with "--volumes"');
    const requests: PruneRequest[] = [
      { kind: "containers", filters },
      { kind: "networks", filters },
      ...(withVolumes ? [{ kind: "volumes", filters } as const] : []),
      { kind: "images", filters: filtersQuery(flags, [["dangling", String(!all)]]) },
      { kind: "cache", filters, all },
    ];
    const removed = [
      "all stopped containers",
      "all networks not used by at least one container",
      ...(withVolumes ? ["all anonymous volumes not used by at least one container"] : []),
      all ? "all images without at least one container associated to them" : "all dangling images",
      all ? "all build cache" : "unused build cache",
    ];
    const list = (lines: readonly string[]): string => lines.map((line) => `  - ${line}\n`).join("");
    const conditions = [...flags.list("filter")].sort();
    const filtered = conditions.length === 0 ? "" : `\n  Items to be pruned will be filtered with:\n${list(conditions)}`;
    return pruneObjects(context, requests, {
      force: flags.bool("force"),
      warning: `WARNING! This will remove:\n${list(removed)}${filtered}`,
    });
  },
};
