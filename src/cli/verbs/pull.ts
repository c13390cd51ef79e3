import { invalidParameter } from "../../base/errors.ts";
import { familiarName, familiarString, parseReference, withDefaultTag } from "../../base/reference.ts";
import { type Command, ExitError } from "../command.ts";
import { pullQuery } from "../create-container.ts";
import { registryAuth } from "../credentials/header.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { type ProgressMessage, printProgress } from "../output/progress.ts";

export const command: Command = {
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  args: { least: 1, most: 1 },
  completes: "images",
  flags: [
    { name: "all-tags", short: "a", type: "bool", help: "Download all tags of the repository" },
    { name: "disable-content-trust", type: "bool", help: "Accepted for compatibility", default: "true", hidden: true },
    platformFlag,
    { name: "quiet", short: "q", type: "bool", help: "Print nothing but the name" },
  ],
  async run(context, flags, [name = ""]) {
    const given = parseReference(name);
    const all = flags.bool("all-tags");
    if (all && given.tag !== undefined) throw invalidParameter("tag can't be used with --all-tags/-a");
    const reference = all ? given : withDefaultTag(given);
    if (!all && given.tag === undefined && given.digest === undefined && !flags.bool("quiet")) context.out("Using default tag: latest\n");
    const client = context.startedClient();
    const headers = await registryAuth(context.configuration(), reference);
    const query = pullQuery(reference, flags.string("platform"));
    const messages = client.lines<ProgressMessage>("POST", "/images/create", { query, headers });
    if (flags.bool("quiet")) {
      for await (const message of messages) if (message.error !== undefined) throw new ExitError(1, message.error);
    } else await printProgress(messages, 1);
    const domain =
      reference.domain === "docker.io" && familiarName(reference) === reference.path.replace(/^library\//, "") ? "docker.io/" : "";
    const path =
      domain === ""
        ? familiarString(reference)
        : `docker.io/${reference.path}${familiarString(reference).slice(familiarName(reference).length)}`;
    context.out(`${path}\n`);
    return 0;
  },
};
