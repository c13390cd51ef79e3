import { messageOf } from "../../base/errors.ts";
import type { ContainerUpdateRequest, ContainerUpdateResponse } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { limitFlags } from "../options/container-flags-table.ts";
import { limits, restartPolicy } from "../options/host-config.ts";

function policy(text: string): Pick<ContainerUpdateRequest, "RestartPolicy"> {
  if (text === "") return {};
  try {
    return { RestartPolicy: restartPolicy(text) };
  } catch (error) {
    throw new ExitError(1, messageOf(error));
  }
}

function changes(flags: FlagValues): ContainerUpdateRequest {
  const { PidsLimit, ...rest } = limits(flags);
  // For all others zero means "as it is"; here it means "no limit".
  const pids = flags.changed("pids-limit") && PidsLimit !== undefined ? { PidsLimit } : {};
  return { ...rest, ...pids, ...policy(flags.string("restart")) };
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "containers",
  flags: [...limitFlags, { name: "restart", type: "string", help: "What to do when the container exits" }],
  async run(context, flags, names) {
    if (!flags.anyChanged()) throw new ExitError(1, "you must provide one or more flags when using this command");
    const json = changes(flags);
    const client = context.client();
    const warnings: string[] = [];
    const failures: string[] = [];
    for (const name of names) {
      try {
        const answer = await client.json<ContainerUpdateResponse>("POST", `${containerPath(name)}/update`, { json });
        context.out(`${name}\n`);
        warnings.push(...(answer.Warnings ?? []));
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (warnings.length > 0) context.out(`${warnings.join("\n")}\n`);
    if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
    return 0;
  },
};
