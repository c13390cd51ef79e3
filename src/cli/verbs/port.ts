import type { ContainerInspectResponse, PortBinding } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { containerPath } from "../object-paths.ts";

function show({ HostIp = "", HostPort = "" }: PortBinding): string {
  return HostIp.includes(":") ? `[${HostIp}]:${HostPort}` : `${HostIp}:${HostPort}`;
}

/** Numbers by their value, all else by its bytes. */
function byNumbers(a: string, b: string): number {
  const value = (text: string): number => Number.parseInt(text, 10);
  return value(a) - value(b) || (a < b ? -1 : 1);
}

export const command: Command = {
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  args: { least: 1, most: 2 },
  completes: "containers",
  flags: [],
  async run(context, _flags, [name = "", wanted]) {
    const container = await context.client().json<ContainerInspectResponse>("GET", `${containerPath(name)}/json`);
    const ports = Object.entries((container.NetworkSettings?.Ports ?? {}) as Record<string, PortBinding[] | null>);
    if (wanted === undefined) {
      const lines = ports.flatMap(([port, bindings]) => (bindings ?? []).map((binding) => `${port} -> ${show(binding)}\n`));
      lines.sort(byNumbers);
      context.out(lines.join(""));
      return 0;
    }
    const [number = "", protocol = "tcp"] = wanted.split("/");
    if (!/^\d+$/.test(number) || Number(number) > 65535)
      throw new ExitError(1, `Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: invalid syntax`);
    const bindings = ports.find(([port]) => port === `${number}/${protocol}`)?.[1] ?? [];
    if (bindings.length === 0) throw new ExitError(1, `Error: No public port '${wanted}' published for ${name}`);
    context.out(
      bindings
        .map((binding) => `${show(binding)}\n`)
        .sort()
        .join(""),
    );
    return 0;
  },
};
