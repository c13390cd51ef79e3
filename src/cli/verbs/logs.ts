import { invalidParameter, messageOf } from "../../base/errors.ts";
import { demultiplex } from "../../client/demultiplex.ts";
import type { ContainerInspectResponse } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { timestamp } from "../output/timestamps.ts";
import { writeAll } from "../output/write.ts";

function time(flags: FlagValues, name: string): string {
  try {
    return timestamp(flags.string(name));
  } catch (error) {
    throw invalidParameter(`invalid value for "${name}": ${messageOf(error)}`, error);
  }
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER",
  args: { least: 1, most: 1 },
  completes: "containers",
  flags: [
    { name: "details", type: "bool", help: "Show extra details that were given to the log" },
    { name: "follow", short: "f", type: "bool", help: "Go on with what is printed from now on" },
    { name: "since", type: "string", help: 'Show what came after a time ("2013-01-02T13:23:37Z") or in the last while ("42m")' },
    { name: "tail", short: "n", type: "string", help: "Number of lines to show from the end", default: "all" },
    { name: "timestamps", short: "t", type: "bool", help: "Show times" },
    { name: "until", type: "string", help: 'Show what came before a time ("2013-01-02T13:23:37Z") or a while ago ("42m")' },
  ],
  async run(context, flags, [name = ""]) {
    const client = context.client();
    const path = containerPath(name);
    const response = await client.call("GET", `${path}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        follow: flags.bool("follow"),
        details: flags.bool("details"),
        timestamps: flags.bool("timestamps"),
        since: time(flags, "since"),
        until: time(flags, "until"),
        tail: flags.string("tail"),
      },
    });
    let raw = response.headers.get("content-type") === "application/vnd.docker.raw-stream";
    // Daemons before API 1.42 call both kinds of stream raw.
    if (raw && Number((await client.version()).split(".")[1]) < 42)
      raw = (await client.json<ContainerInspectResponse>("GET", `${path}/json`)).Config?.Tty === true;
    if (raw) for await (const chunk of response.body) writeAll(1, chunk);
    else for await (const { stream, data } of demultiplex(response.body)) writeAll(stream === "stdout" ? 1 : 2, data);
    return 0;
  },
};
