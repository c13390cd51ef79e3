import { messageOf } from "../../base/errors.ts";
import type { EventMessage } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { filterFlag, filtersQuery, inspectFormatFlag } from "../flags/list-flags.ts";
import { goTimeNanos } from "../output/text.ts";
import { timestamp } from "../output/timestamps.ts";
import { Computed, compileTemplate } from "../template/template.ts";
import { asGoMap } from "../template/values.ts";

/** `TIME TYPE ACTION ID (key=value, …)`. */
function line(event: EventMessage, nanos: bigint): string {
  const attributes = Object.entries(event.Actor?.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const head = `${goTimeNanos(nanos)} ${event.Type} ${event.Action} ${event.Actor?.ID ?? ""}`;
  return attributes.length === 0 ? head : `${head} (${attributes.join(", ")})`;
}

interface ExactEvent {
  readonly event: EventMessage & { readonly status?: string; readonly id?: string; readonly from?: string };
  /** The whole number, which JSON.parse would round. */
  readonly nanos: bigint;
  /** As the daemon wrote it, with the attributes in the order of their names. */
  readonly json: string;
}

function parse(text: string): ExactEvent {
  const event = JSON.parse(text) as ExactEvent["event"];
  const exact = /"timeNano":\s*(\d+)/.exec(text)?.[1] ?? "0";
  const attributes = Object.fromEntries(Object.entries(event.Actor?.Attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
  const ordered = { ...event, ...(event.Actor === undefined ? {} : { Actor: { ...event.Actor, Attributes: attributes } }) };
  return { event, nanos: BigInt(exact), json: JSON.stringify(ordered).replace(/"timeNano":[\d.e+]+/, `"timeNano":${exact}`) };
}

function view({ event, nanos }: ExactEvent): Computed {
  return new Computed("events.Message", {
    Type: () => event.Type,
    Action: () => event.Action,
    Actor: () => ({ ID: event.Actor?.ID ?? "", Attributes: asGoMap(event.Actor?.Attributes ?? {}) }),
    Scope: () => event.scope ?? "",
    Time: () => event.time,
    TimeNano: () => nanos,
    ID: () => event.id ?? "",
    Status: () => event.status ?? "",
    From: () => event.from ?? "",
  });
}

const badTemplateStatus = 64;

/** What prints an event. @throws ExitError for a template that cannot be read, or reads what no event has */
function printer(format: string): (event: ExactEvent) => string {
  if (format === "") return ({ event, nanos }) => line(event, nanos);
  if (format === "json" || /^\{\{\s*json\s+\.\s*\}\}$/.test(format)) return ({ json }) => json;
  try {
    const template = compileTemplate(format);
    template.execute(view({ event: {}, nanos: 0n, json: "{}" }));
    return (event) => template.execute(view(event));
  } catch (error) {
    throw new ExitError(badTemplateStatus, `Error parsing format: ${messageOf(error)}`);
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
    const print = printer(flags.string("format"));
    const response = await context.client().call("GET", "/events", {
      query: { since: timestamp(flags.string("since")), until: timestamp(flags.string("until")), filters: filtersQuery(flags) },
    });
    let pending = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      pending += decoder.decode(chunk, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const text of lines) if (text.trim() !== "") context.out(`${print(parse(text))}\n`);
    }
    return 0;
  },
};
