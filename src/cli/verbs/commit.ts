import { invalidParameter } from "../../base/errors.ts";
import { parseReference, repositoryOf, withDefaultTag } from "../../base/reference.ts";
import type { Query } from "../../client/engine-client.ts";
import type { Command } from "../command.ts";

/** @throws InvalidParameter for what is no name, or has a digest */
function nameOf(text: string): Query {
  if (text === "") return {};
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidParameter("refusing to create a tag with a digest reference");
  return { repo: repositoryOf(reference), tag: withDefaultTag(reference).tag };
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  args: { least: 1, most: 2 },
  completes: "containers",
  flags: [
    { name: "author", short: "a", type: "string", help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")' },
    { name: "change", short: "c", type: "list", many: true, help: "Apply a Dockerfile instruction to the image" },
    { name: "message", short: "m", type: "string", help: "Message for the image's history" },
    { name: "pause", short: "p", type: "bool", help: "Pause the container meanwhile", default: "true" },
  ],
  async run(context, flags, [container = "", name = ""]) {
    const { Id } = await context.client().json<{ Id: string }>("POST", "/commit", {
      query: {
        container,
        ...nameOf(name),
        comment: flags.string("message"),
        author: flags.string("author"),
        changes: flags.list("change"),
        pause: flags.bool("pause") ? undefined : 0,
      },
    });
    context.out(`${Id}\n`);
    return 0;
  },
};
