import type { ContainerInspectResponse, PortBinding } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";

function show({ HostIp = "", HostPort = "" }: PortBinding): string {
  return HostIp.includes(":") ? `[${HostIp}]:${HostPort}` : `${HostIp}:${HostPort}`;
}

export const command: Command = {
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  args: { least: 1, most: 2 },
  flags: [],
  async run(context, _flags, [name = "", wanted]) {
    const container = await context.client().json<ContainerInspectResponse>("GET", `/containers/${encodeURIComponent(name)}/json`);
    const ports = Object.entries((container.NetworkSettings?.Ports ?? {}) as Record<string, PortBinding[] | null>);
    if (wanted === undefined) {
      const lines = ports.flatMap(([port, bindings]) => (bindings ?? []).map((binding) => `${port} -> ${show(binding)}\n`));
      lines.sort(new Intl.Collator("en", { numeric: true }).compare);
      context.out(lines.join(""));
      return 0;
    }
    const [number = "", protocol = "tcp"] = wanted.split("/");
    if (!/^\d+$/.test(number) || Number(number) > 65535) throw new ExitError(1, `Error: invalid port (${number})`);
    const bindings = ports.find(([port]) => port === `${number}/${protocol}`)?.[1] ?? [];
    if (bindings.length === 0) throw new ExitError(1, `no public port '${number}/${protocol}' published for ${name}`);
    context.out(
      bindings
        .map((binding) => `${show(binding)}\n`)
        .sort()
        .join(""),
    );
    return 0;
  },
};
