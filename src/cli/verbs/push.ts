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
    { ...platformFlag, help: 'Push the image of this platform only ("os[/arch[/variant]]")' },
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
    const notes: string[] = [];
    try {
      if (quiet) {
        for await (const message of noted(messages, notes))
          if (message.error !== undefined) throw new ExitError(1, message.errorDetail?.message ?? message.error);
        context.out(`${all ? repositoryOf(reference) : `${repositoryOf(reference)}:${reference.tag}`}\n`);
      } else await printProgress(noted(messages, notes), 1);
    } finally {
      for (const text of notes) context.out(text);
    }
    return 0;
  },
};

interface PushedInstead {
  readonly manifestPushedInsteadOfIndex?: boolean;
  readonly originalIndex?: { readonly digest: string };
  readonly selectedManifest?: { readonly digest: string };
}

/** Passes the messages on; what is to be told at the end, in Docker's words and colours, goes into `notes`. */
async function* noted(messages: AsyncIterable<ProgressMessage>, notes: string[]): AsyncGenerator<ProgressMessage> {
  for await (const message of messages) {
    const { manifestPushedInsteadOfIndex, originalIndex, selectedManifest } = (message.aux ?? {}) as PushedInstead;
    if (manifestPushedInsteadOfIndex === true)
      notes.push(`
 Info -> Not all multiplatform-content is present and only the available single-platform image was pushed
         \u001b[31m${originalIndex?.digest}\u001b[0m -> \u001b[32m${selectedManifest?.digest}\u001b[0m
`);
    yield message;
  }
}

/** Docker's words. */
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
