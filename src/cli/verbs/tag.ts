import { invalidParameter, messageOf } from "../../base/errors.ts";
import { parseReference, type Reference, repositoryOf, withDefaultTag } from "../../base/reference.ts";
import type { Command } from "../command.ts";

function targetOf(text: string): Reference {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    throw invalidParameter(`Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${messageOf(error)}`, error);
  }
}

export const command: Command = {
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  args: { least: 2, most: 2 },
  completes: "images",
  flags: [],
  async run(context, _flags, [source = "", target = ""]) {
    const reference = targetOf(target);
    if (reference.digest !== undefined) throw invalidParameter("refusing to create a tag with a digest reference");
    await context.client().send("POST", `/images/${encodeURI(source)}/tag`, {
      query: { repo: repositoryOf(reference), tag: reference.tag },
    });
    return 0;
  },
};
