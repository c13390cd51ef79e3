import type { PublishedPort } from "./firewall.ts";
import type { HostPorts } from "./host-ports.ts";
import type { PortWish } from "./port-bindings.ts";

/** Takes a port for each wish, all or none. @throws Error with Docker's wording of the clash */
export async function takePorts(
  hostPorts: HostPorts,
  wishes: readonly PortWish[],
  containerAddress: string,
  bridge = "",
): Promise<PublishedPort[]> {
  const taken: PublishedPort[] = [];
  try {
    for (const { protocol, hostAddress, containerPort, hostPorts: range } of wishes) {
      const hostPort = await takePort(hostPorts, {
        protocol,
        hostAddress,
        containerPort,
        ...(range === undefined ? {} : { hostPorts: range }),
      });
      taken.push({ protocol, hostAddress, hostPort, containerAddress, containerPort, bridge });
    }
    return taken;
  } catch (error) {
    releasePorts(hostPorts, taken);
    throw error;
  }
}

async function takePort(hostPorts: HostPorts, wish: PortWish): Promise<number> {
  const { protocol, hostAddress, hostPorts: range } = wish;
  if (range !== undefined && range[0] === range[1]) {
    // Whether another program has it is found out by the monitor, which binds it and keeps it.
    if (hostPorts.take(protocol, hostAddress, range[0])) return range[0];
    throw new Error(`Bind for ${hostAddress}:${range[0]} failed: port is already allocated`);
  }
  const port = await hostPorts.choose(protocol, hostAddress, range);
  if (port !== undefined) return port;
  if (range === undefined) throw new Error("all ports are allocated");
  throw new Error(`Bind for ${hostAddress}:${range[0]}-${range[1]} failed: port is already allocated`);
}

export function releasePorts(hostPorts: HostPorts, ports: readonly PublishedPort[]): void {
  for (const port of ports) hostPorts.release(port.protocol, port.hostAddress, port.hostPort);
}
