import { invalidParameter, messageOf } from "../../base/errors.ts";
import { familiarName, parseReference, repositoryOf, withDefaultTag } from "../../base/reference.ts";
import { type Command, ExitError } from "../command.ts";
import { registryAuth } from "../credentials/header.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { parsePlatform } from "../options/platform.ts";
import { type ProgressMessage, printProgress } from "../output/progress.ts";

export const command: Command = {
  usage: "[OPTIONS] NAME[:TAG]",
  args: { least: 1, most: 1 },
  completes: "images",
  flags: [
    { name: "all-tags", short: "a", type: "bool", help: "Push all tags of the repository" },
    { name: "disable-content-trust", type: "bool", help: "Accepted for compatibility", default: "true", hidden: true },
    { ...platformFlag, help: 'Push only if the image is for this platform ("os[/arch[/variant]]")' },
    { name: "quiet", short: "q", type: "bool", help: "Print nothing but the name" },
  ],
  async run(context, flags, [name = ""]) {
    const given = parseReference(name);
    const all = flags.bool("all-tags");
    const quiet = flags.bool("quiet");
    if (all && (given.tag !== undefined || given.digest !== undefined)) throw invalidParameter("tag can't be used with --all-tags/-a");
    const reference = all ? given : withDefaultTag(given);
    if (reference.digest !== undefined) throw invalidParameter("cannot push a digest reference");
    if (!all && given.tag === undefined && !quiet) context.out("Using default tag: latest\n");
    const platform = flags.string("platform");
    const wanted = platform === "" ? undefined : platformJson(platform);
    if (wanted !== undefined) context.out(note);
    const messages = context.client().lines<ProgressMessage>("POST", `/images/${encodeURI(familiarName(reference))}/push`, {
      query: { tag: reference.tag, platform: wanted },
      headers: await registryAuth(context.configuration(), reference),
    });
    if (quiet) {
      for await (const message of messages)
        if (message.error !== undefined) throw new ExitError(1, message.errorDetail?.message ?? message.error);
      context.out(`${all ? repositoryOf(reference) : `${repositoryOf(reference)}:${reference.tag}`}\n`);
    } else await printProgress(messages, 1);
    return 0;
  },
};

/** Docker's words; an index is never pushed from here. */
const note = `
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.
         
`;

/** As the API takes it. */
function platformJson(text: string): string {
  let full: string;
  try {
    full = parsePlatform(text);
  } catch (error) {
    throw invalidParameter(`Invalid platform ${text}${messageOf(error)}`, error);
  }
  const [os, architecture, variant] = full.split("/");
  return JSON.stringify({ architecture, os, variant });
}
