/** Where Berth's networks do not answer as Docker 26.1 does, and why. */
import type { AllowedDifference } from "./compare.ts";

const newer = "Docker 28's words";
const json = (...lines: string[]): string[] => lines.map((line) => `> ${line}`);

/** One line of a message for another, wherever it comes up. */
const words = (docker: string, berth: string, reason: string = newer): AllowedDifference => ({
  docker: [`! ${docker}`],
  berth: [`! ${berth}`],
  reason,
});

const noStaticAddress = "user-specified IP address is supported on user-defined networks only";

/** Of a subnet that somebody chose, without a gateway. */
const gateway = (subnet: string, address: string): AllowedDifference => ({
  docker: json(`Subnet: "${subnet}"`),
  berth: json(`Subnet: "${subnet}",`, `Gateway: "${address}"`),
  reason: "the gateway is shown also where nobody chose it",
});

const shownOf = (name: string, flags: string, subnet: string, address: string): AllowedDifference => {
  const line = (config: string): string => `> ${name} bridge ${flags} {"Driver":"default","Options":{},"Config":[{${config}}]} {} {}`;
  return {
    where: "networks",
    docker: [line(`"Subnet":"${subnet}"`)],
    berth: [line(`"Subnet":"${subnet}","Gateway":"${address}"`)],
    reason: gateway(subnet, address).reason,
  };
};

const activeEndpoints = (command: string): AllowedDifference => ({
  where: `networks: docker network ${command} na`,
  docker: ["! Error response from daemon: error while removing network: network na id <id> has active endpoints"],
  berth: [
    '! Error response from daemon: error while removing network: network na has active endpoints (name:"user" id:"<short id 129.1>")',
  ],
  reason: newer,
});

export const allowedOfNetworks: readonly AllowedDifference[] = [
  ...["bridge", "null"].map((driver) => ({
    docker: json(`Driver: "${driver}",`, "EnableIPv6: false,"),
    berth: json(`Driver: "${driver}",`, "EnableIPv4: true,", "EnableIPv6: false,"),
    reason: "a field of Docker 28",
  })),
  { where: "networks", docker: ['> "IPv4":"false"'], berth: ['> "IPv4":"true"'], reason: "a field of Docker 28" },
  gateway("10.61.0.0/24", "10.61.0.1"),
  gateway("10.61.3.0/24", "10.61.3.1"),
  gateway("10.61.4.0/24", "10.61.4.1"),
  gateway("10.61.6.0/24", "10.61.6.1"),
  gateway("10.62.0.0/24", "10.62.0.1"),
  shownOf("na", "false false false false false", "10.61.0.0/24", "10.61.0.1"),
  shownOf("nc", "false true true false false", "10.61.3.0/24", "10.61.3.1"),
  {
    where: "network-ipv6",
    docker: ["> fd63:1::/64", "> true 10.63.0.0/24"],
    berth: ["> fd63:1::/64 fd63:1::1", "> true 10.63.0.0/24 10.63.0.1"],
    reason: gateway("", "").reason,
  },
  words(
    "Error response from daemon: Pool overlaps with other one on this address space",
    "Error response from daemon: invalid pool request: Pool overlaps with other one on this address space",
  ),
  words("Error response from daemon: invalid name:", "Error response from daemon: invalid name: name is empty"),
  words(
    "Error response from daemon: numerical result out of range",
    "Error response from daemon: invalid bridge name: tooooooooooooolong",
    "it is told what is out of range",
  ),
  words(
    "Error response from daemon: user specified configurations are not supported if the network depends on a configuration network",
    "Error response from daemon: user-specified configurations are not supported if the network depends on a configuration network",
  ),
  words("user specified IP address is supported on user defined networks only", noStaticAddress),
  {
    docker: [
      "! * user specified IP address is supported on user defined networks only",
      "! * user specified IP address is supported only when connecting to networks with user configured subnets",
    ],
    berth: [`! ${noStaticAddress}`],
    reason: newer,
  },
  words(
    "network-scoped alias is supported only for containers in user defined networks",
    "network-scoped aliases are only supported for user-defined networks",
  ),
  activeEndpoints("rm"),
  activeEndpoints("rm -f"),
  {
    where: "networks: docker network ls -f dangling=true --format '{{.Name}}'",
    docker: ["> na"],
    berth: [],
    reason: "a network that a container is in is not dangling",
  },
  {
    where: "network-modes",
    docker: ['> SandboxKey: "/run/docker/netns/default",'],
    berth: ["> SandboxKey: <sandbox>,"],
    reason: "a network namespace has no file of its own: it is reached through the container's first process",
  },
  {
    where: "network-names",
    docker: json("fe00::0\tip6-localnet", "ff00::0\tip6-mcastprefix"),
    berth: json("fe00::\tip6-localnet", "ff00::\tip6-mcastprefix"),
    reason: "the spelling of Docker 28",
  },
  {
    where: "network-names: docker exec aa sh -c 'grep -c mine /etc/hosts; grep -c 10.64 /etc/hosts'",
    docker: ["> 0", "= 1"],
    berth: ["> 1", "= 0"],
    reason: "who leaves a network loses the line of that network, not those of the others",
  },
  {
    where: "network-ports",
    docker: [
      "> docker: Error response from daemon: driver failed programming external connectivity on endpoint bb (ID): Bind for 0.0.0.0:18401 failed: port is already allocated",
    ],
    berth: [
      "> docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint bb (ID): Bind for 0.0.0.0:18401 failed: port is already allocated",
    ],
    reason: newer,
  },
];
