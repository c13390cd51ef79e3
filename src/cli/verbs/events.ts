import { invalidParameter, messageOf } from "../../base/errors.ts";
import type { EventMessage } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { filterFlag, filtersQuery, inspectFormatFlag } from "../flags/list-flags.ts";
import { goTimeNanos } from "../output/text.ts";
import { timestamp } from "../output/timestamps.ts";
import { compileTemplate, type Template } from "../template/template.ts";

/** `TIME TYPE ACTION ID (key=value, …)`. */
function line(event: EventMessage, nanos: bigint): string {
  const attributes = Object.entries(event.Actor?.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const head = `${goTimeNanos(nanos)} ${event.Type} ${event.Action} ${event.Actor?.ID ?? ""}`;
  return attributes.length === 0 ? head : `${head} (${attributes.join(", ")})`;
}

/** The whole number of nanoseconds, which JSON.parse would round. */
const nanosOf = (event: EventMessage & { exactNano?: string }): bigint =>
  BigInt(event.exactNano ?? Math.round(Number(event.timeNano ?? 0)));

function parse(text: string): EventMessage & { exactNano?: string } {
  const event = JSON.parse(text) as EventMessage & { exactNano?: string };
  const exact = /"timeNano":\s*(\d+)/.exec(text)?.[1];
  return exact === undefined ? event : { ...event, exactNano: exact };
}

function templateOf(format: string): Template | undefined {
  if (format === "" || format === "json") return undefined;
  try {
    return compileTemplate(format);
  } catch (error) {
    throw invalidParameter(`Error parsing format: ${messageOf(error)}`, error);
  }
}

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [
    filterFlag,
    { name: "format", type: "string", help: inspectFormatFlag.help },
    { name: "since", type: "string", help: "Show what happened since a time" },
    { name: "until", type: "string", help: "Show what happens until a time" },
  ],
  async run(context, flags) {
    const format = flags.string("format");
    const template = templateOf(format);
    const response = await context.client().call("GET", "/events", {
      query: { since: timestamp(flags.string("since")), until: timestamp(flags.string("until")), filters: filtersQuery(flags) },
    });
    let pending = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      pending += decoder.decode(chunk, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const text of lines) {
        if (text.trim() === "") continue;
        const event = parse(text);
        if (format === "json") context.out(`${text}\n`);
        else if (template === undefined) context.out(`${line(event, nanosOf(event))}\n`);
        else context.out(`${template.execute({ ...event, Time: event.time, TimeNano: event.exactNano, Scope: event.scope })}\n`);
      }
    }
    return 0;
  },
};
