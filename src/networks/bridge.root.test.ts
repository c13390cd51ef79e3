/**
 * The default bridge on a real kernel: this file runs itself in a network namespace of its own that plays the host;
 * more namespaces play containers and another host.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { isolated } from "../../tools/isolate.mjs";
import { type ContainerId, newId } from "../base/base.ts";
import { type Namespace, NamespaceKernel, openNamespace } from "../kernel/namespace-kernel.ts";
import { type Database, openDatabase } from "../state/state.ts";
import type { Attachment, AttachRequest, Networks } from "./networks.ts";
import { openNetworks } from "./open.ts";
import type { NetworkOptions } from "./options.ts";

const execute = promisify(execFile);

/** Runs a program to its end. @throws with its output unless it exits with 0 */
async function run(file: string, ...args: string[]): Promise<string> {
  return (await execute(file, args, { timeout: 20_000 })).stdout;
}

const within = (place: Namespace | undefined, file: string, ...args: string[]): Promise<string> =>
  place === undefined ? run(file, ...args) : run("nsenter", `--net=/proc/${place.pid}/ns/net`, file, ...args);

/** A server that tells each client which address it sees; and a client of it. */
const server = `
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
s = socket.socket(socket.AF_INET, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[2])))
if kind == socket.SOCK_STREAM: s.listen(16)
print("ready", flush=True)
while True:
    if kind == socket.SOCK_STREAM:
        c, a = s.accept()
        c.sendall(a[0].encode()); c.close()
    else:
        d, a = s.recvfrom(100)
        s.sendto(a[0].encode(), a)
`;
const client = `
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
s = socket.socket(socket.AF_INET, kind)
s.settimeout(float(sys.argv[4]))
try:
    s.connect((sys.argv[2], int(sys.argv[3])))
    if kind == socket.SOCK_DGRAM: s.send(b"x")
    print(s.recv(100).decode(), end="")
except OSError as e:
    print("failed", end="")
`;

async function serve(place: Namespace | undefined, protocol: "tcp" | "udp", port: number): Promise<AsyncDisposable> {
  const command = ["python3", "-uc", server, protocol, String(port)];
  const [file = "", ...args] = place === undefined ? command : ["nsenter", `--net=/proc/${place.pid}/ns/net`, ...command];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** The address that the server at `address:port` sees, or "failed". */
const seenFrom = (
  place: Namespace | undefined,
  address: string,
  port: number,
  protocol: "tcp" | "udp" = "tcp",
  seconds = 1.5,
): Promise<string> => within(place, "python3", "-c", client, protocol, address, String(port), String(seconds));

function request(changes: Partial<AttachRequest> = {}): AttachRequest {
  return {
    containerId: newId<"ContainerId">(),
    networkMode: "default",
    hostname: "box",
    containerName: "box",
    endpoints: {},
    portBindings: {},
    exposedPorts: [],
    publishAllPorts: false,
    dns: [],
    dnsOptions: [],
    dnsSearch: [],
    extraHosts: [],
    ...changes,
  };
}

/** What the namespace of the host has. */
async function hostState(): Promise<string> {
  return [
    await run("ip", "-o", "link"),
    await run("ip", "-4", "-o", "addr"),
    await run("nft", "list", "ruleset"),
    await run("sysctl", "net.ipv4.ip_forward"),
  ].join("--\n");
}

interface Container {
  readonly id: ContainerId;
  readonly place: Namespace;
  readonly attachment: Attachment;
  readonly address: string;
}

class Host implements AsyncDisposable {
  readonly kernel: NamespaceKernel = new NamespaceKernel();
  readonly database: Database = openDatabase(":memory:");
  readonly containers: Container[] = [];
  networks!: Networks;

  async open(options: NetworkOptions = {}): Promise<this> {
    this.networks = await openNetworks({ database: this.database, kernel: this.kernel, options });
    return this;
  }

  async start(changes: Partial<AttachRequest> = {}): Promise<Container> {
    const asked = request(changes);
    const attachment = await this.networks.attach(asked);
    const place = await openNamespace();
    await this.kernel.launch(attachment, place);
    const container = { id: asked.containerId, place, attachment, address: attachment.settings.Networks?.["bridge"]?.IPAddress ?? "" };
    this.containers.push(container);
    return container;
  }

  /** Ends a container as its monitor does. */
  async stop(container: Container): Promise<void> {
    await container.place[Symbol.asyncDispose]();
    await this.kernel.run(container.attachment.cleanup);
    await this.networks.detach(container.id);
    this.containers.splice(this.containers.indexOf(container), 1);
  }

  /** Its addresses are not kept for it any more. */
  async remove(container: Container): Promise<void> {
    await this.stop(container);
    this.networks.forget(container.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of [...this.containers]) await this.stop(container);
    await this.networks.close();
    this.database.close();
    await this.kernel[Symbol.asyncDispose]();
  }
}

/** Until it holds, or three seconds have passed. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail("it did not come about");
}

describe("the default bridge on this kernel", { skip: isolated ? false : "needs root and namespaces" }, () => {
  describe("the default bridge", { concurrency: false }, () => {
    let outside: Namespace;
    let atFirst: string;

    before(async () => {
      // The host: lo, an interface to another host at 198.51.100.9 which has a route to the containers.
      outside = await openNamespace();
      await run("ip", "link", "set", "lo", "up");
      await run("sysctl", "-qw", "net.ipv4.ip_forward=0");
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "eth0", "netns", String(outside.pid));
      await run("ip", "addr", "add", "198.51.100.1/24", "dev", "wan0");
      await run("ip", "link", "set", "wan0", "up");
      await within(outside, "ip", "addr", "add", "198.51.100.9/24", "dev", "eth0");
      await within(outside, "ip", "link", "set", "eth0", "up");
      await within(outside, "ip", "link", "set", "lo", "up");
      await within(outside, "ip", "route", "add", "172.16.0.0/12", "via", "198.51.100.1");
      await sleep(50);
      atFirst = await hostState();
    });
    after(async () => {
      await eventually(async () => (await hostState()) === atFirst).catch(async () => assert.equal(await hostState(), atFirst));
      await outside[Symbol.asyncDispose]();
    });

    test("leads out with the host's address, and between containers with their own", async () => {
      await using host = await new Host().open();
      const a = await host.start();
      const b = await host.start();
      assert.deepEqual([a.address, b.address], ["172.17.0.2", "172.17.0.3"]);
      assert.match(await within(a.place, "ip", "-o", "addr"), /100: eth0\s+inet 172\.17\.0\.2\/16 brd 172\.17\.255\.255/);
      assert.match(await within(a.place, "ip", "link", "show", "eth0"), /02:42:ac:11:00:02/);
      assert.equal(
        (await within(a.place, "ip", "route")).split("\n")[0]?.trim(),
        "default via 172.17.0.1 dev eth0 proto boot".replace(" proto boot", ""),
      );
      assert.equal(await within(a.place, "ip", "-6", "-o", "addr", "show", "dev", "eth0"), "");
      await using _out = await serve(outside, "tcp", 81);
      await using _b = await serve(b.place, "tcp", 82);
      await using _host = await serve(undefined, "tcp", 83);
      assert.equal(await seenFrom(a.place, "198.51.100.9", 81), "198.51.100.1");
      assert.equal(await seenFrom(a.place, b.address, 82), a.address);
      assert.equal(await seenFrom(undefined, b.address, 82), "172.17.0.1");
      assert.equal(await seenFrom(a.place, "172.17.0.1", 83), a.address);
    });

    for (const [protocol, bridgeFilter] of [
      ["tcp", "0"],
      ["udp", "0"],
      ["tcp", "1"],
      ["udp", "1"],
    ] as const) {
      test(`publishes ${protocol} to everyone, with the real source (bridge-nf-call-iptables ${bridgeFilter})`, async () => {
        // Absent where br_netfilter is not loaded: as if 0.
        await run("sysctl", "-qew", `net.bridge.bridge-nf-call-iptables=${bridgeFilter}`);
        await using host = await new Host().open();
        const web = await host.start({ portBindings: { [`80/${protocol}`]: [{ HostIp: "", HostPort: "8080" }] } });
        const other = await host.start();
        await using _ = await serve(web.place, protocol, 80);
        assert.equal(await seenFrom(outside, "198.51.100.1", 8080, protocol), "198.51.100.9");
        assert.equal(await seenFrom(undefined, "127.0.0.1", 8080, protocol), "172.17.0.1");
        assert.equal(await seenFrom(undefined, "198.51.100.1", 8080, protocol), "198.51.100.1");
        assert.equal(await seenFrom(other.place, "198.51.100.1", 8080, protocol), "172.17.0.1", "another container, through the host");
        assert.equal(await seenFrom(web.place, "198.51.100.1", 8080, protocol), "172.17.0.1", "hairpin to itself");
        assert.equal(await seenFrom(other.place, "172.17.0.1", 8080, protocol), "172.17.0.1", "through the gateway's address");
        await host.stop(web);
        assert.doesNotMatch(await run("nft", "list", "ruleset"), /8080/);
      });
    }

    test("lets in what is published and nothing else", async () => {
      await using host = await new Host().open();
      const web = await host.start({ portBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] } });
      await using _one = await serve(web.place, "tcp", 80);
      await using _two = await serve(web.place, "tcp", 81);
      await using _loopback = await serve(undefined, "tcp", 99);
      assert.equal(await seenFrom(undefined, "127.0.0.1", 8080), "172.17.0.1");
      assert.equal(await seenFrom(outside, "198.51.100.1", 8080, "tcp", 0.4), "failed", "published on the loopback only");
      assert.equal(await seenFrom(outside, web.address, 80, "tcp", 0.4), "failed", "routed straight to the published port");
      assert.equal(await seenFrom(outside, web.address, 81, "tcp", 0.4), "failed", "routed straight to another port");
      // A neighbour that sends packets for the loopback to the host's hardware address.
      for (const [place, gateway] of [
        [outside, "198.51.100.1"],
        [web.place, "172.17.0.1"],
      ] as const) {
        await within(place, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
        await within(place, "ip", "route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local");
        await within(place, "ip", "route", "add", "127.0.0.99/32", "via", gateway, "dev", "eth0");
        assert.equal(await seenFrom(place, "127.0.0.99", 99, "tcp", 0.4), "failed");
        assert.equal(await seenFrom(place, "127.0.0.99", 8080, "tcp", 0.4), "failed");
        await within(place, "ip", "route", "del", "127.0.0.99/32");
        await within(place, "ip", "route", "add", "local", "127.0.0.0/8", "dev", "lo", "src", "127.0.0.1", "table", "local");
      }
    });

    test("does not make a router of the host for others", async () => {
      await using far = await openNamespace();
      await run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", String(far.pid));
      await run("ip", "addr", "add", "203.0.113.1/24", "dev", "lan0");
      await run("ip", "link", "set", "lan0", "up");
      await within(far, "ip", "addr", "add", "203.0.113.9/24", "dev", "eth0");
      await within(far, "ip", "link", "set", "eth0", "up");
      await within(far, "ip", "route", "add", "default", "via", "203.0.113.1");
      await within(outside, "ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.1");
      try {
        await using host = await new Host().open();
        await using _ = await serve(outside, "tcp", 81);
        assert.equal(await seenFrom(far, "198.51.100.9", 81, "tcp", 0.4), "failed");
        const box = await host.start();
        assert.equal(await seenFrom(box.place, "198.51.100.9", 81), "198.51.100.1");
      } finally {
        await run("ip", "link", "del", "lan0");
        await within(outside, "ip", "route", "del", "203.0.113.0/24");
      }
    });

    test("a port is given once, in Docker's words", async () => {
      await using host = await new Host().open();
      const bindings = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };
      const first = await host.start({ portBindings: bindings });
      await assert.rejects(host.networks.attach(request({ portBindings: bindings, containerName: "clash" })), {
        code: "System",
        message:
          /^failed to set up container networking: driver failed programming external connectivity on endpoint clash \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
      });
      const free = await host.start();
      assert.equal(free.address, "172.17.0.3", "the refused one holds no address");
      await host.remove(first);
      const second = await host.start({ portBindings: bindings });
      assert.equal(second.address, "172.17.0.2");
    });

    test("a restarted daemon finds everything again, and takes away what a crash left", async () => {
      await using host = await new Host().open();
      const ports = { portBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] } };
      const kept = await host.start(ports);
      const dead = await host.start({ portBindings: { "81/tcp": [{ HostIp: "", HostPort: "8081" }] } });
      const before = host.networks.inspect("bridge");
      // The daemon and one monitor are killed; the rules are flushed by someone; a pair is left over.
      await run("nft", "flush", "ruleset");
      await run("ip", "link", "add", "veth0123456789a", "type", "veth", "peer", "name", "stale", "netns", String(outside.pid));
      await run("ip", "link", "set", "veth0123456789a", "master", "berth0");
      await host.open();
      await host.networks.reconcile(new Set([kept.id]));
      assert.equal(host.networks.inspect("bridge").Id, before.Id);
      assert.deepEqual(Object.keys(host.networks.inspect("bridge").Containers ?? {}), [kept.id]);
      assert.doesNotMatch(await run("ip", "-o", "link"), /veth0123456789a/);
      await using _ = await serve(kept.place, "tcp", 80);
      assert.equal(await seenFrom(outside, "198.51.100.1", 8080), "198.51.100.9");
      assert.doesNotMatch(await run("nft", "list", "ruleset"), /8081/);
      await assert.rejects(host.networks.attach(request(ports)), /port is already allocated/);
      await dead.place[Symbol.asyncDispose]();
      host.containers.splice(host.containers.indexOf(dead), 1);
    });

    test("the table as nft reads it", async () => {
      await using host = await new Host().open();
      await host.start({
        portBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }], "53/udp": [{ HostIp: "127.0.0.1", HostPort: "5353" }] },
      });
      const table = await run("nft", "list", "ruleset");
      assert.match(table, /^table inet berth \{/);
      assert.match(table, /tcp \. 8080 : 172\.17\.0\.2 \. 80/);
      assert.match(table, /127\.0\.0\.1 \. udp \. 5353 : 172\.17\.0\.2 \. 53/);
    });

    test("what inspect shows, while it runs and after", async () => {
      await using host = await new Host().open();
      const box = await host.start({
        portBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] },
        exposedPorts: ["80/tcp", "90/tcp"],
        containerName: "web",
      });
      const { settings } = box.attachment;
      assert.deepEqual(settings.Ports, {
        "80/tcp": [
          { HostIp: "0.0.0.0", HostPort: "8080" },
          { HostIp: "::", HostPort: "8080" },
        ],
        "90/tcp": null,
      });
      const bridge = host.networks.inspect("bridge");
      const endpoint = settings.Networks?.["bridge"];
      assert.deepEqual(
        [endpoint?.Gateway, endpoint?.IPAddress, endpoint?.IPPrefixLen, endpoint?.MacAddress, endpoint?.NetworkID],
        ["172.17.0.1", "172.17.0.2", 16, "02:42:ac:11:00:02", bridge.Id],
      );
      assert.deepEqual(bridge.Containers, {
        [box.id]: {
          Name: "web",
          EndpointID: endpoint?.EndpointID,
          MacAddress: "02:42:ac:11:00:02",
          IPv4Address: "172.17.0.2/16",
          IPv6Address: "",
        },
      });
      assert.deepEqual(bridge.IPAM?.Config, [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.1" }]);
      assert.equal(bridge.Options?.["com.docker.network.bridge.name"], "berth0");
      await host.stop(box);
      assert.deepEqual(host.networks.inspect("bridge").Containers, {});
    });

    test("a container finds its address again", async () => {
      await using host = await new Host().open();
      const first = await host.start();
      const second = await host.start();
      await host.stop(first);
      await host.stop(second);
      assert.equal((await host.start({ containerId: second.id })).address, "172.17.0.3");
      assert.equal((await host.start()).address, "172.17.0.4", "the first one's is kept for it");
      host.networks.forget(first.id);
      assert.equal((await host.start()).address, "172.17.0.2");
    });

    test("a namespace that someone still sits in loses its address with the container", async () => {
      await using host = await new Host().open();
      const box = await host.start();
      // As the end of a container whose namespace another one has joined.
      await host.networks.detach(box.id);
      await eventually(async () => !(await within(box.place, "ip", "-o", "link")).includes("eth0"));
      host.containers.splice(0);
      await box.place[Symbol.asyncDispose]();
    });

    test("a bridge that was there stays, with the address that it had", async () => {
      await run("ip", "link", "add", "own0", "type", "bridge");
      await run("ip", "addr", "add", "10.9.8.1/24", "dev", "own0");
      try {
        await using host = await new Host().open({ bridge: "own0", fixedCidr: "10.9.8.128/25" });
        assert.equal((await host.start()).address, "10.9.8.128");
        assert.match(await run("nft", "list", "tables"), /berth-own0/);
        const other = new Host();
        await assert.rejects(other.open({ bridge: "own0", bip: "10.9.7.1/24" }), { code: "InvalidParameter" });
        await other.kernel[Symbol.asyncDispose]();
      } finally {
        assert.match(await run("ip", "-4", "-o", "addr", "show", "own0"), /10\.9\.8\.1/);
        await run("ip", "link", "del", "own0");
      }
    });

    test("pools that the host uses are passed over, and a new --bip is taken on", async () => {
      await run("ip", "route", "add", "172.17.4.0/24", "via", "198.51.100.9");
      await using host = await new Host().open();
      assert.equal((await host.start()).address, "172.18.0.2");
      await run("ip", "route", "del", "172.17.4.0/24");
      for (const box of [...host.containers]) await host.stop(box);
      await host.open({ bip: "10.9.8.5/24", mtu: 1400 });
      const box = await host.start();
      assert.equal(box.address, "10.9.8.1");
      assert.match(await within(box.place, "ip", "link", "show", "eth0"), /mtu 1400/);
      assert.equal((await run("ip", "-4", "-o", "addr", "show", "berth0")).split("\n").length, 2, "the old address is gone");
    });

    test("no router advertisement is believed, on the host or inside", async () => {
      await using host = await new Host().open();
      const box = await host.start();
      const setting = async (place: Namespace | undefined, key: string): Promise<string> =>
        (await within(place, "sysctl", "-n", key)).trim();
      assert.equal(await setting(undefined, "net.ipv6.conf.berth0.accept_ra"), "0");
      assert.equal(await setting(undefined, "net.ipv6.conf.berth0.disable_ipv6"), "1");
      assert.equal(await setting(box.place, "net.ipv6.conf.eth0.disable_ipv6"), "1");
    });

    test("a thousand ports, and forty containers at once", async () => {
      await using host = await new Host().open();
      const portBindings = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`${index + 1}/tcp`, [{ HostIp: "", HostPort: String(20000 + index) }]]),
      );
      const many = await host.start({ portBindings });
      assert.equal((await run("nft", "list", "map", "inet", "berth", "ports4")).match(/172\.17\.0\.2/g)?.length, 1000);
      await host.stop(many);
      const all = await Promise.all(Array.from({ length: 40 }, () => host.start({ exposedPorts: ["80/tcp"], publishAllPorts: true })));
      assert.equal(new Set(all.map((box) => box.address)).size, 40);
      assert.equal(new Set(all.map((box) => box.attachment.settings.Ports?.["80/tcp"]?.[0]?.HostPort)).size, 40);
    });

    test("an address that is reused at once answers at once", async () => {
      await using host = await new Host().open();
      for (let round = 0; round < 5; round++) {
        const box = await host.start();
        assert.equal(box.address, "172.17.0.2");
        await using _ = await serve(box.place, "tcp", 80);
        assert.equal(await seenFrom(undefined, box.address, 80, "tcp", 0.5), "172.17.0.1", `round ${round}`);
        await host.remove(box);
      }
    });
  });
});
