import { isEngineError, messageOf, notFound } from "../../base/errors.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { type Command, ExitError } from "../command.ts";
import { inspectFormatFlag } from "../flags/list-flags.ts";
import { type Inspected, inspectObjects, sortedJson } from "../inspect-objects.ts";
import { containerPath, networkPath, volumePath } from "../object-paths.ts";

type Kind = Exclude<Inspected["kind"], "context">;

const kinds: readonly Kind[] = ["container", "image", "network", "volume"];

function pathOf(kind: Kind, name: string): string {
  switch (kind) {
    case "container":
      return `${containerPath(name)}/json`;
    case "image":
      return `/images/${encodeURI(name)}/json`;
    case "network":
      return networkPath(name);
    case "volume":
      return volumePath(name);
  }
}

const kindNames = kinds.map((kind) => JSON.stringify(kind)).join(", ");

async function find(client: EngineClient, name: string, wanted: readonly Kind[], size: boolean): Promise<Inspected> {
  for (const kind of wanted) {
    try {
      const query = kind === "container" && size ? { size: true } : {};
      const json = await client.text("GET", pathOf(kind, name), { query });
      return { kind, json: kind === "volume" ? sortedJson(json) : json };
    } catch (error) {
      if (wanted.length === 1) throw error;
      // A name that this kind has not, or cannot have: another may.
      if (!isEngineError(error, "NotFound") && !/invalid reference format|not supported/.test(messageOf(error))) throw error;
    }
  }
  throw notFound(`Error: No such object: ${name}`);
}

export const command: Command = {
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  args: { least: 1 },
  completes: "containers",
  flags: [
    inspectFormatFlag,
    { name: "size", short: "s", type: "bool", help: "Show the sizes of a container's files" },
    { name: "type", type: "string", help: "Look only at objects of this type (container, image, network, volume)" },
  ],
  async run(context, flags, names) {
    const type = flags.string("type");
    if (flags.changed("type") && type === "") throw new ExitError(1, `type is empty: must be one of ${kindNames}`);
    const wanted = kinds.filter((kind) => type === "" || kind === type);
    if (wanted.length === 0) throw new ExitError(1, `unknown type: ${JSON.stringify(type)}: must be one of ${kindNames}`);
    const client = context.client();
    return inspectObjects(context, names, flags.string("format"), (name) => find(client, name, wanted, flags.bool("size")));
  },
};
