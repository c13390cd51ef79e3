import { invalidParameter, isEngineError, messageOf } from "../../base/errors.ts";
import type { NetworkCreateResponse, NetworkInspect } from "../../spec/spec.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import { checkLabel, checkLink } from "../flags/check-option.ts";
import type { FlagValues } from "../flags/flag.ts";
import { filterFlag, filtersQuery, formatFlag, inspectFormatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { inspectObjects } from "../inspect-objects.ts";
import { networkPath } from "../object-paths.ts";
import { pairsToMap } from "../options/files.ts";
import { ipamConfigs } from "../options/ipam.ts";
import { formatList } from "../output/format-list.ts";
import { byName } from "../output/natural-order.ts";
import { networkShape } from "../output/networks.ts";

/** Flags that a daemon of an older API would pass over in silence. */
async function requireApi(context: Context, flags: FlagValues, name: string, minor: number): Promise<void> {
  if (!flags.changed(name)) return;
  const version = await context.startedClient().version();
  if (Number(version.split(".")[1]) < minor)
    throw new ExitError(1, `"--${name}" requires API version 1.${minor}, but the Docker daemon API version is ${version}`);
}

export const create: Command = {
  usage: "[OPTIONS] NETWORK",
  args: { least: 1, most: 1 },
  flags: [
    { name: "attachable", type: "bool", help: "Let containers be attached by hand (networks of a swarm)" },
    { name: "aux-address", type: "map", many: true, help: "Addresses that containers are not given (NAME=ADDRESS)" },
    { name: "config-from", type: "string", help: "The network whose configuration is taken over" },
    { name: "config-only", type: "bool", help: "A configuration for other networks, no network itself" },
    { name: "driver", short: "d", type: "string", help: "Driver of the network", default: "bridge" },
    { name: "gateway", type: "strings", many: true, help: "IPv4 or IPv6 gateway of a subnet" },
    { name: "ingress", type: "bool", help: "Make the routing mesh of a swarm" },
    { name: "internal", type: "bool", help: "No way out of the network, and none in" },
    { name: "ip-range", type: "strings", many: true, help: "Give containers addresses of this part of a subnet" },
    { name: "ipam-driver", type: "string", help: "Driver that gives out addresses", default: "default" },
    { name: "ipam-opt", type: "map", many: true, help: "Options of the driver that gives out addresses" },
    { name: "ipv4", type: "bool", help: "Give containers IPv4 addresses", default: "true" },
    { name: "ipv6", type: "bool", help: "Give containers IPv6 addresses" },
    { name: "label", type: "list", many: true, help: "Set metadata on a network", check: checkLabel },
    { name: "opt", short: "o", type: "map", many: true, help: "Options of the driver" },
    { name: "scope", type: "string", help: "Where the network is known: local, or all of a swarm" },
    { name: "subnet", type: "strings", many: true, help: "Subnet in CIDR form, such as 10.1.0.0/16" },
  ],
  async run(context, flags, [name = ""]) {
    const ipam = {
      Driver: flags.string("ipam-driver"),
      Config: ipamConfigs({
        subnets: flags.list("subnet"),
        ranges: flags.list("ip-range"),
        gateways: flags.list("gateway"),
        reserved: pairsToMap(flags.list("aux-address")),
      }),
      Options: pairsToMap(flags.list("ipam-opt")),
    };
    await requireApi(context, flags, "ipv4", 48);
    const configuration = flags.string("config-from");
    const network = await context.startedClient().json<NetworkCreateResponse>("POST", "/networks/create", {
      json: {
        Name: name,
        Driver: flags.string("driver"),
        Scope: flags.string("scope"),
        // What is not said is the daemon's to choose.
        ...(flags.changed("ipv4") ? { EnableIPv4: flags.bool("ipv4") } : {}),
        ...(flags.changed("ipv6") ? { EnableIPv6: flags.bool("ipv6") } : {}),
        IPAM: ipam,
        Internal: flags.bool("internal"),
        Attachable: flags.bool("attachable"),
        Ingress: flags.bool("ingress"),
        ConfigOnly: flags.bool("config-only"),
        ConfigFrom: configuration === "" ? null : { Network: configuration },
        Options: pairsToMap(flags.list("opt")),
        Labels: pairsToMap(flags.list("label")),
      },
    });
    if ((network.Warning ?? "") !== "") context.err(`WARNING: ${network.Warning}\n`);
    context.out(`${network.Id}\n`);
    return 0;
  },
};

function driverOptions(pairs: readonly string[]): Record<string, string> {
  for (const pair of pairs) if (pair.indexOf("=") < 1) throw new ExitError(1, "invalid key/value pair format in driver options");
  return pairsToMap(pairs);
}

/** @throws InvalidParameter for no name at all */
function containerName(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") throw invalidParameter("invalid container name or ID: value is empty");
  return trimmed;
}

export const connect: Command = {
  usage: "[OPTIONS] NETWORK CONTAINER",
  args: { least: 2, most: 2 },
  completes: ["networks", "containers"],
  flags: [
    { name: "alias", type: "strings", many: true, help: "Further name of the container on this network" },
    { name: "driver-opt", type: "strings", many: true, help: "Options of the network's driver" },
    { name: "gw-priority", type: "int", help: "The network with the highest one gives the default gateway; may be negative" },
    { name: "ip", type: "string", help: "IPv4 address (such as 172.30.100.104)" },
    { name: "ip6", type: "string", help: "IPv6 address (such as 2001:db8::33)" },
    { name: "link", type: "list", many: true, help: "Link to another container", check: checkLink },
    { name: "link-local-ip", type: "strings", many: true, help: "Link-local address of the container" },
  ],
  async run(context, flags, [network = "", container = ""]) {
    const options = driverOptions(flags.list("driver-opt"));
    await requireApi(context, flags, "gw-priority", 48);
    await context.startedClient().send("POST", `${networkPath(network)}/connect`, {
      json: {
        Container: containerName(container),
        EndpointConfig: {
          IPAMConfig: {
            IPv4Address: flags.string("ip"),
            IPv6Address: flags.string("ip6"),
            LinkLocalIPs: [...flags.list("link-local-ip")],
          },
          Links: [...flags.list("link")],
          Aliases: [...flags.list("alias")],
          DriverOpts: options,
          GwPriority: flags.number("gw-priority"),
        },
      },
    });
    return 0;
  },
};

export const disconnect: Command = {
  usage: "[OPTIONS] NETWORK CONTAINER",
  args: { least: 2, most: 2 },
  completes: ["networks", "containers"],
  flags: [{ name: "force", short: "f", type: "bool", help: "Take the container off the network whatever its state" }],
  async run(context, flags, [network = "", container = ""]) {
    await context.client().send("POST", `${networkPath(network)}/disconnect`, {
      json: { Container: containerName(container), Force: flags.bool("force") },
    });
    return 0;
  },
};

export const inspect: Command = {
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  args: { least: 1 },
  completes: "networks",
  flags: [inspectFormatFlag, { name: "verbose", short: "v", type: "bool", help: "Show what helps in a search for faults" }],
  async run(context, flags, names) {
    const client = context.client();
    const query = flags.bool("verbose") ? { verbose: "true" } : {};
    return inspectObjects(context, names, flags.string("format"), async (name) => ({
      kind: "network",
      json: await client.text("GET", networkPath(name), { query }),
    }));
  },
};

export const ls: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [filterFlag, formatFlag, noTruncFlag, { name: "quiet", short: "q", type: "bool", help: "Only display network IDs" }],
  async run(context, flags) {
    const networks = await context.startedClient().json<NetworkInspect[]>("GET", "/networks", { query: { filters: filtersQuery(flags) } });
    const format = flags.string("format");
    const quiet = flags.bool("quiet");
    const options = {
      format: format === "" && !quiet ? context.configuration().text("networksFormat") : format,
      quiet,
      truncate: !flags.bool("no-trunc"),
    };
    context.out(formatList(networkShape, [...networks].sort(byName), options));
    return 0;
  },
};

/** One after the other, as the order may matter; each failure is told when it comes up. */
export const rm: Command = {
  usage: "NETWORK [NETWORK...]",
  args: { least: 1 },
  completes: "networks",
  flags: [{ name: "force", short: "f", type: "bool", help: "Do not fail for networks that are not there" }],
  async run(context, flags, names) {
    const client = context.client();
    let failed = false;
    for (const name of names) {
      try {
        await client.send("DELETE", networkPath(name));
        context.out(`${name}\n`);
      } catch (error) {
        if (flags.bool("force") && isEngineError(error, "NotFound")) continue;
        context.err(`${messageOf(error)}\n`);
        failed = true;
      }
    }
    if (failed) throw new ExitError(1, "exit status 1");
    return 0;
  },
};
