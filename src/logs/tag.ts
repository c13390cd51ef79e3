import { invalidParameter } from "../base/base.ts";
import type { LogInfo } from "./logs.ts";

const shortLength = 12;

const fields: Readonly<Record<string, (info: LogInfo) => string>> = {
  ID: ({ containerId }) => containerId.slice(0, shortLength),
  FullID: ({ containerId }) => containerId,
  Name: ({ containerName }) => containerName,
  // With its algorithm, as Docker has it.
  ImageID: ({ imageId }) => imageId.slice(0, shortLength),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ imageName }) => imageName,
  DaemonName: () => "docker",
  Command: ({ command }) => command.join(" "),
  Hostname: ({ hostname }) => hostname,
};

/**
 * A tag's template: text with `{{.Field}}` in it.
 * @throws InvalidParameter in the words of Go's templates
 */
export function expandTag(template: string, info: LogInfo): string {
  let text = "";
  let rest = template;
  for (let start = rest.indexOf("{{"); start !== -1; start = rest.indexOf("{{")) {
    const end = rest.indexOf("}}", start);
    if (end === -1) throw invalidParameter("template: log-tag:1: unclosed action");
    const action = rest.slice(start + 2, end);
    const trimsBefore = action.startsWith("- ");
    const trimsAfter = action.endsWith(" -");
    const before = rest.slice(0, start);
    text += trimsBefore ? before.trimEnd() : before;
    text += valueOfAction(action.slice(trimsBefore ? 2 : 0, trimsAfter ? -2 : undefined).trim(), info);
    rest = trimsAfter ? rest.slice(end + 2).trimStart() : rest.slice(end + 2);
  }
  return text + rest;
}

function valueOfAction(action: string, info: LogInfo): string {
  const name = /^\.(\w+)$/.exec(action)?.[1];
  if (name === undefined) throw invalidParameter(`template: log-tag:1: fields are all that a tag may have, not ${JSON.stringify(action)}`);
  const field = fields[name];
  if (field === undefined)
    throw invalidParameter(`template: log-tag:1:2: executing "log-tag" at <.${name}>: can't evaluate field ${name} in type *logger.Info`);
  return field(info);
}

/** The tag of a remote driver: the short id unless the option says otherwise. */
export function tagOf(info: LogInfo): string {
  return expandTag(info.options["tag"] || "{{.ID}}", info);
}
