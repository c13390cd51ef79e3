/**
 * For tests of the firewall: the network namespace that the process is in plays the host, others play containers and
 * another host, each with a server that tells its clients which address it sees.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Namespace, NamespaceKernel, openNamespace } from "../kernel/namespace-kernel.ts";
import { numberAddress, parseCidr, subnetText } from "./addresses.ts";
import {
  addNetwork,
  type FirewallState,
  type NetworkRules,
  type PublishedPort,
  removeNetwork,
  removeTable,
  replaceTable,
} from "./firewall.ts";

export const table = { family: "inet", name: "berth" } as const;

export function rulesOf(bridge: string, subnets: readonly string[], more: Partial<NetworkRules> = {}): NetworkRules {
  const parsed = subnets.map((text) => parseCidr(text).subnet);
  return {
    bridge,
    subnets: parsed,
    own: parsed.map((subnet) => numberAddress(subnet.family, subnet.base + 1n)),
    masquerade: true,
    sourceAddress: {},
    internal: false,
    icc: true,
    gatewayMode: { 4: "nat", 6: "nat" },
    trustedInterfaces: [],
    directRouting: false,
    ...more,
  };
}

/** Port 8080 at any address of the host to port 80. */
export const portTo = (containerAddress: string, more: Partial<PublishedPort> = {}): PublishedPort => ({
  protocol: "tcp",
  hostAddress: containerAddress.includes(":") ? "::" : "0.0.0.0",
  hostPort: 8080,
  containerAddress,
  containerPort: 80,
  bridge: "br0",
  ...more,
});

export const noState: FirewallState = { networks: [], ports: [], dropForeign: { 4: true, 6: true }, publishMode: "forward" };

const kinds = `
import ipaddress, json, select, socket, sys, time
kinds = {"tcp": (1, 0), "udp": (2, 0), "sctp": (1, 132)}
def plain(a): return a.removeprefix("::ffff:")
`;
const server = `${kinds}
listening = {}
for name in sys.argv[1].split():
    proto, port = name.split("/")
    s = socket.socket(socket.AF_INET6, *kinds[proto])
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", int(port)))
    if proto != "udp": s.listen(64)
    listening[s] = proto
print("ready", flush=True)
while True:
    for s in select.select(list(listening), [], [])[0]:
        if listening[s] == "udp":
            _, a = s.recvfrom(100)
            s.sendto(plain(a[0]).encode(), a)
        else:
            c, a = s.accept()
            try: c.sendall(plain(a[0]).encode())
            except OSError: pass
            c.close()
`;
/** Asks all at once. UDP is asked again a few times, since nobody else would. */
const client = `${kinds}
waiting = {}
answers = {}
source = int(sys.argv[3])
for target in json.loads(sys.argv[1]):
    proto, address, port = target.split()
    v6 = ":" in address
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, *kinds[proto])
    s.setblocking(False)
    answers[target] = "failed"
    try:
        if v6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if source: s.bind(("", source))
        s.connect((address, int(port)))
    except BlockingIOError: pass
    except OSError: continue
    waiting[s] = (target, proto)
end = time.time() + float(sys.argv[2])
asked = 0
while waiting and time.time() < end:
    if time.time() - asked > 0.15:
        asked = time.time()
        for s, (_, proto) in waiting.items():
            if proto == "udp":
                try: s.send(b"x")
                except OSError: pass
    for s in select.select(list(waiting), [], [], 0.05)[0]:
        target, proto = waiting[s]
        try: answers[target] = s.recv(100).decode() or "failed"
        except OSError: pass
        if proto != "udp" or answers[target] != "failed": del waiting[s]
print(json.dumps(answers))
`;

/** Two echo requests of ICMP, since the first may wait for a neighbour's address. */
const echo = `
import os, socket, struct, sys
v6 = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
s.settimeout(0.4)
s.connect((sys.argv[1], 0))
kind = 128 if v6 else 8
# Another flow than those of the tests before.
number = os.getpid() & 0x7fff
for _ in range(2):
    s.send(struct.pack(">BBHHH", kind, 0, 0xffff - (kind << 8) - number, number, 0))
    try:
        s.recv(100)
        print("answered")
        break
    except OSError: pass
`;

const execute = promisify(execFile);
export const run = (file: string, ...args: string[]): string => execFileSync(file, args, { encoding: "utf8" });

export interface Place {
  readonly name: string;
  /** Undefined: the host itself. */
  readonly namespace?: Namespace;
  readonly servers: ChildProcess[];
  readonly address: string;
  readonly address6: string;
}

export interface SceneNetwork {
  readonly rules: NetworkRules;
  readonly containers: Place[];
}

const prefix = (place: Place): string[] => (place.namespace === undefined ? [] : ["nsenter", `--net=/proc/${place.namespace.pid}/ns/net`]);

export function within(place: Place, ...command: string[]): string {
  const [file = "", ...args] = [...prefix(place), ...command];
  return run(file, ...args);
}

/** The host, with one neighbour at `wan0` who has a route to every private address through it. */
/** One of that name, of a test before, may still be going with its namespace. */
async function addPair(device: string, namespace: Namespace): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", String(namespace.pid));
      return;
    } catch (error) {
      if (tries === 40) throw error;
      await sleep(50);
    }
  }
}

export class Scene implements AsyncDisposable {
  readonly kernel: NamespaceKernel = new NamespaceKernel();
  readonly host: Place = { name: "host", servers: [], address: "198.51.100.1", address6: "2001:db8:51::1" };
  readonly networks: Map<string, SceneNetwork> = new Map();
  readonly #places: Place[] = [];

  static async open(): Promise<Scene> {
    const scene = new Scene();
    run("ip", "link", "set", "lo", "up");
    const settings = ["ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1", "ipv6.conf.default.accept_dad=0", "ipv6.conf.all.disable_ipv6=0"];
    run("sysctl", "-qw", ...settings.map((setting) => `net.${setting}`));
    return scene;
  }

  send(message: Uint8Array): Promise<Uint8Array> {
    return this.kernel.netlink(12, message);
  }

  reset(state: FirewallState = noState): Promise<Uint8Array> {
    return this.send(replaceTable(table, state));
  }

  /** Another host at an interface of ours; addresses end with .1 here and .9 there. */
  async neighbour(device: string, net4: string, net6: string): Promise<Place> {
    const namespace = await openNamespace();
    const place: Place = { name: device, namespace, servers: [], address: `${net4}.9`, address6: `${net6}::9` };
    this.#places.push(place);
    await addPair(device, namespace);
    run("ip", "addr", "add", `${net4}.1/24`, "dev", device);
    run("ip", "addr", "add", `${net6}::1/64`, "dev", device, "nodad");
    run("ip", "link", "set", device, "up");
    this.#up(place, `${net4}.9/24`, `${net6}::9/64`);
    for (const [net, gateway] of [
      ["10.0.0.0/8", `${net4}.1`],
      ["fd00::/8", `${net6}::1`],
    ] as const)
      within(place, "ip", "route", "add", net, "via", gateway);
    return place;
  }

  #up(place: Place, ...addresses: string[]): void {
    within(place, "ip", "link", "set", "lo", "up");
    within(place, "ip", "link", "set", "eth0", "up");
    for (const address of addresses)
      within(place, "ip", "addr", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : []));
  }

  /** A bridge with its first address of each subnet, known to the firewall. */
  async network(rules: NetworkRules): Promise<SceneNetwork> {
    run("ip", "link", "add", rules.bridge, "type", "bridge");
    run("sysctl", "-qw", `net.ipv4.conf.${rules.bridge}.route_localnet=1`);
    run("ip", "link", "set", rules.bridge, "up");
    for (const subnet of rules.subnets) {
      const address = `${numberAddress(subnet.family, subnet.base + 1n)}/${subnet.prefixLength}`;
      run("ip", "addr", "add", address, "dev", rules.bridge, ...(subnet.family === 6 ? ["nodad"] : []));
    }
    const network: SceneNetwork = { rules, containers: [] };
    this.networks.set(rules.bridge, network);
    await this.send(addNetwork(table, rules));
    return network;
  }

  /** One more container: its addresses are the next ones. */
  async container(network: SceneNetwork): Promise<Place> {
    const { rules, containers } = network;
    const namespace = await openNamespace();
    const at = (family: 4 | 6, offset: number): string => {
      const subnet = rules.subnets.find((one) => one.family === family);
      return subnet === undefined ? "" : numberAddress(family, subnet.base + BigInt(offset));
    };
    const number = containers.length + 2;
    const device = `v${rules.bridge}-${number}`;
    const place: Place = { name: device, namespace, servers: [], address: at(4, number), address6: at(6, number) };
    this.#places.push(place);
    containers.push(place);
    await addPair(device, namespace);
    run("ip", "link", "set", device, "master", rules.bridge, "up");
    const lengths = rules.subnets.map((subnet) => [subnet.family, subnetText(subnet).split("/")[1]] as const);
    this.#up(place, ...lengths.map(([family, length]) => `${at(family, number)}/${length}`));
    for (const [family] of lengths) within(place, "ip", "route", "add", "default", "via", at(family, 1));
    return place;
  }

  /** `tcp/80 udp/53` */
  async serve(place: Place, ports: string): Promise<void> {
    const [file = "", ...args] = [...prefix(place), "python3", "-uc", server, ports];
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    place.servers.push(child);
    await once(child.stdout, "data");
  }

  /** @param targets `tcp 10.0.0.1 80` @returns the address that each server has seen, or "failed", in order */
  async ask(
    place: Place,
    targets: readonly string[],
    options: { readonly seconds?: number; readonly sourcePort?: number } = {},
  ): Promise<string[]> {
    const asked = [JSON.stringify(targets), String(options.seconds ?? 0.6), String(options.sourcePort ?? 0)];
    const [file = "", ...args] = [...prefix(place), "python3", "-c", client, ...asked];
    const answers = JSON.parse((await execute(file, args)).stdout) as Record<string, string>;
    return targets.map((target) => answers[target] ?? "");
  }

  /** Whether an echo request of ICMP is answered. */
  async echoes(place: Place, address: string): Promise<boolean> {
    const [file = "", ...args] = [...prefix(place), "python3", "-c", echo, address];
    return (await execute(file, args)).stdout.includes("answered");
  }

  async #end(place: Place): Promise<void> {
    for (const child of place.servers.splice(0)) {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    await place.namespace?.[Symbol.asyncDispose]();
  }

  /** Takes the networks away, with their containers. */
  async clear(): Promise<void> {
    for (const [bridge, { rules, containers }] of this.networks) {
      for (const place of containers) await this.#end(place);
      run("ip", "link", "del", bridge);
      await this.send(removeNetwork(table, rules)).catch(() => undefined);
    }
    this.networks.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    for (const place of [this.host, ...this.#places]) await this.#end(place);
    await this.send(removeTable(table)).catch(() => undefined);
    await this.kernel[Symbol.asyncDispose]();
  }
}
