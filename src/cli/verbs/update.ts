import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../../base/errors.ts";
import type { EngineClient } from "../../client/client.ts";
import type { ContainerInspectResponse, ContainerUpdateRequest, ContainerUpdateResponse } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { limitFlags } from "../options/container-flags-table.ts";
import { limits, restartPolicy } from "../options/host-config.ts";
import { changedPorts, type PortChanges, parsePortChanges } from "../options/port-changes.ts";

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

/** Undefined: none is wished. */
function portChanges(flags: FlagValues): PortChanges | undefined {
  const [added, removed] = [flags.list("publish-add"), flags.list("publish-rm")];
  if (added.length === 0 && removed.length === 0) return undefined;
  try {
    return parsePortChanges(added, removed);
  } catch (error) {
    throw new ExitError(1, messageOf(error));
  }
}

/** A container that is to have other ports is asked which ones it has. */
async function update(
  client: EngineClient,
  name: string,
  limits: ContainerUpdateRequest,
  ports: PortChanges | undefined,
): Promise<ContainerUpdateResponse> {
  const post = (json: ContainerUpdateRequest): Promise<ContainerUpdateResponse> =>
    client.json<ContainerUpdateResponse>("POST", `${containerPath(name)}/update`, { json });
  if (ports === undefined) return await post(limits);
  const inspect = (): Promise<ContainerInspectResponse> => client.json("GET", `${containerPath(name)}/json`);
  const wanted = changedPorts(await inspect(), name, ports);
  const answer = await post({ ...limits, ...wanted });
  // Docker's daemon passes over fields that it does not know.
  if (!isDeepStrictEqual((await inspect()).HostConfig?.PortBindings, wanted.PortBindings))
    throw new Error(`the ports of ${name} are as they were: its daemon cannot change them`);
  return answer;
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "containers",
  flags: [
    ...limitFlags,
    { name: "restart", type: "string", help: "What to do when the container exits" },
    {
      name: "publish-add",
      type: "list",
      many: true,
      help: "Publish one more port, also while the container runs; written as for run --publish",
    },
    { name: "publish-rm", type: "list", many: true, help: "Publish a port no more; the container's port is enough: 80, 53/udp, 8080:80" },
  ],
  async run(context, flags, names) {
    if (!flags.anyChanged()) throw new ExitError(1, "you must provide one or more flags when using this command");
    const [limits, ports] = [changes(flags), portChanges(flags)];
    const client = context.client();
    const warnings: string[] = [];
    const failures: string[] = [];
    for (const name of names) {
      try {
        const answer = await update(client, name, limits, ports);
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
