import type { SystemDataUsageResponse } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { formatFlag } from "../flags/list-flags.ts";
import { usageLines, usageShape, verboseUsage, verboseView } from "../output/disk-usage.ts";
import { formatList, listTemplate } from "../output/format-list.ts";

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [formatFlag, { name: "verbose", short: "v", type: "bool", help: "Show what each object takes" }],
  async run(context, flags) {
    const usage = await context.client().json<SystemDataUsageResponse>("GET", "/system/df");
    const format = flags.string("format");
    const options = { format, quiet: false, truncate: true };
    if (!flags.bool("verbose")) context.out(formatList(usageShape, usageLines(usage), options));
    else if (format === "" || format === "table") context.out(verboseUsage(usage));
    else context.out(listTemplate(usageShape, options).template.execute(verboseView(usage)));
    return 0;
  },
};
