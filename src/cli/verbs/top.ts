import type { ContainerTopResponse } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { containerPath } from "../object-paths.ts";
import { alignTable } from "../output/table.ts";

export const command: Command = {
  usage: "CONTAINER [ps OPTIONS]",
  args: { least: 1 },
  completes: "running",
  completesFirst: true,
  flags: [],
  interspersed: false,
  async run(context, _flags, [name = "", ...options]) {
    const top = await context.client().json<ContainerTopResponse>("GET", `${containerPath(name)}/top`, {
      query: { ps_args: options.join(" ") },
    });
    const lines = [top.Titles ?? [], ...(top.Processes ?? [])].map((cells) => `${cells.join("\t")}\n`);
    context.out(alignTable(lines.join(""), 20));
    return 0;
  },
};
