import type { Volume } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { eachTarget } from "../each-target.ts";
import { checkLabel } from "../flags/check-option.ts";
import { filterFlag, filtersQuery, formatFlag, inspectFormatFlag } from "../flags/list-flags.ts";
import { inspectObjects, sortedJson } from "../inspect-objects.ts";
import { volumePath } from "../object-paths.ts";
import { pairsToMap } from "../options/files.ts";
import { formatList } from "../output/format-list.ts";
import { byName } from "../output/natural-order.ts";
import { volumeShape } from "../output/volumes.ts";

/** A map that has nothing in it is not sent: `inspect` then shows null. */
const mapOf = (pairs: readonly string[]): Record<string, string> | undefined => (pairs.length === 0 ? undefined : pairsToMap(pairs));

export const create: Command = {
  usage: "[OPTIONS] [VOLUME]",
  args: { least: 0, most: 1 },
  flags: [
    { name: "driver", short: "d", type: "string", help: "Volume driver", default: "local" },
    { name: "label", type: "list", many: true, help: "Set metadata for a volume", check: checkLabel },
    { name: "name", type: "string", help: "Volume name", hidden: true },
    { name: "opt", short: "o", type: "map", many: true, help: "Set driver specific options" },
  ],
  async run(context, flags, [given]) {
    const named = flags.string("name");
    if (given !== undefined && named !== "")
      throw new ExitError(1, "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
    const volume = await context.startedClient().json<Volume>("POST", "/volumes/create", {
      json: {
        Name: given ?? named,
        Driver: flags.string("driver"),
        DriverOpts: mapOf(flags.list("opt")),
        Labels: mapOf(flags.list("label")),
      },
    });
    context.out(`${volume.Name}\n`);
    return 0;
  },
};

export const ls: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [filterFlag, formatFlag, { name: "quiet", short: "q", type: "bool", help: "Only display volume names" }],
  async run(context, flags) {
    const client = context.startedClient();
    const { Volumes } = await client.json<{ Volumes?: Volume[] | null }>("GET", "/volumes", { query: { filters: filtersQuery(flags) } });
    const format = flags.string("format");
    const options = {
      format: format === "" && !flags.bool("quiet") ? context.configuration().text("volumesFormat") : format,
      quiet: flags.bool("quiet"),
      truncate: true,
    };
    context.out(formatList(volumeShape, [...(Volumes ?? [])].sort(byName), options));
    return 0;
  },
};

export const inspect: Command = {
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  args: { least: 1 },
  completes: "volumes",
  flags: [inspectFormatFlag],
  async run(context, flags, names) {
    const client = context.client();
    return inspectObjects(context, names, flags.string("format"), async (name) => ({
      kind: "volume",
      json: sortedJson(await client.text("GET", volumePath(name))),
    }));
  },
};

export const rm: Command = {
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  args: { least: 1 },
  completes: "volumes",
  flags: [{ name: "force", short: "f", type: "bool", help: "Do not fail for volumes that are not there" }],
  async run(context, flags, names) {
    const client = context.client();
    return eachTarget(context, names, async (name) => {
      await client.send("DELETE", volumePath(name), { query: { force: flags.bool("force") } });
      return name;
    });
  },
};

/** Docker can change volumes of a swarm and no others. */
export const update: Command = {
  usage: "[OPTIONS] [VOLUME]",
  args: { least: 1, most: 1 },
  completes: "volumes",
  flags: [{ name: "availability", type: "string", help: 'Cluster Volume availability ("active", "pause", "drain")', default: "active" }],
  async run(context, _flags, [name = ""]) {
    const volume = await context.client().json<Volume>("GET", volumePath(name));
    const local = volume.ClusterVolume === undefined || volume.ClusterVolume === null;
    throw new ExitError(1, local ? "can only update cluster volumes" : "berth does not update cluster volumes: use docker");
  },
};
