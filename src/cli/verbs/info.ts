import { invalidParameter, messageOf } from "../../base/errors.ts";
import type { SystemInfo } from "../../spec/spec.ts";
import { clientVersion } from "../client-version.ts";
import { type Command, ExitError } from "../command.ts";
import { inspectFormatFlag } from "../flags/list-flags.ts";
import { infoText } from "../output/engine-info.ts";
import { withGoNames } from "../output/go-types.ts";
import { compileTemplate } from "../template/template.ts";

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [inspectFormatFlag],
  async run(context, flags) {
    const format = flags.string("format");
    const client = { Debug: context.debug, Context: context.contextName(), Version: clientVersion().Version };
    let server: SystemInfo | undefined;
    let failure = "";
    try {
      server = await context.client().json<SystemInfo>("GET", "/info");
    } catch (error) {
      failure = messageOf(error);
    }
    if (format === "") {
      context.out(
        `Client:\n Version:    ${client.Version}\n Context:    ${client.Context}\n Debug Mode: ${client.Debug}\n\nServer:\n${server === undefined ? "" : infoText(server)}`,
      );
      for (const warning of server?.Warnings ?? []) context.err(`${warning}\n`);
      if (failure !== "") throw new ExitError(1, failure);
      return 0;
    }
    if (failure !== "") context.err(`${failure}\n`);
    const view = withGoNames({ ...server, ...(failure === "" ? {} : { ServerErrors: [failure] }), ClientInfo: client });
    try {
      context.out(`${format === "json" ? JSON.stringify(view) : compileTemplate(format).execute(view)}\n`);
    } catch (error) {
      throw invalidParameter(`template parsing error: ${messageOf(error)}`, error);
    }
    return failure === "" ? 0 : 1;
  },
};
