/**
 * A host beside the one under test: a network namespace that a veth pair joins to it, with addresses of both families.
 * It lives as long as a process whose input is a pipe of ours, so it goes with the test however that ends.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { type CommandOptions, command, type Daemon, eventually, type Result } from "./daemon.ts";

const slot = String(Number(process.env["BERTH_TEST_SLOT"] ?? "0") % 10);

export class OtherHost implements AsyncDisposable {
  /** The host's end of the wire: `lan0x1`. */
  readonly device: string;
  /** Its own addresses, and those of the host under test on the wire between them; `/24` and `/64`. */
  readonly address: string;
  readonly address6: string;
  readonly hostAddress: string;
  readonly hostAddress6: string;
  readonly #holder: ChildProcess;
  readonly #children = new Set<ChildProcess>();

  private constructor(number: number, holder: ChildProcess) {
    // RFC 2544 and RFC 3849: addresses that nobody has, so no pool of a daemon's is near them.
    const [net, net6] = [`198.18.${Number(slot) * 16 + number}`, `2001:db8:${slot}:${number}`];
    this.device = `lan${slot}x${number}`;
    this.address = `${net}.2`;
    this.address6 = `${net6}::2`;
    this.hostAddress = `${net}.1`;
    this.hostAddress6 = `${net6}::1`;
    this.#holder = holder;
  }

  /** `number`: 0–15, another one for each host of a test. */
  static async join(number: number): Promise<OtherHost> {
    const holder = spawn("unshare", ["-n", "sh", "-c", "echo there; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
    const host = new OtherHost(number, holder);
    try {
      await new Promise((done, fail) => {
        holder.stdout?.once("data", done);
        holder.once("exit", () => fail(new Error("no network namespace")));
      });
      await must("ip", ["link", "add", host.device, "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid)]);
      await must("sh", [
        "-ec",
        "ip addr add $2/24 dev $1; ip addr add $3/64 dev $1 nodad; ip link set $1 up",
        "sh",
        host.device,
        host.hostAddress,
        host.hostAddress6,
      ]);
      const inside = `ip link set lo up; ip addr add $1/24 dev eth0; ip addr add $2/64 dev eth0 nodad; ip link set eth0 up`;
      await host.ok("sh", "-ec", inside, "sh", host.address, host.address6);
      await eventually("the wire", async () => {
        const both = [host.hostAddress, host.hostAddress6].map((address) => host.run(["busybox", "ping", "-c", "1", "-W", "1", address]));
        return (await Promise.all(both)).every(({ status }) => status === 0) || undefined;
      });
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  #inside(args: readonly string[]): string[] {
    return [`--net=/proc/${this.#holder.pid}/ns/net`, "--", ...args];
  }

  /** Runs a program in it to its end. */
  run(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return command("nsenter", this.#inside(args), options);
  }

  /** The same, and its output; fails unless it exits with 0. */
  async ok(...args: string[]): Promise<string> {
    const result = await this.run(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.status}\n${result.stderr}${result.stdout}`);
    return result.stdout.trim();
  }

  /** Starts a program that ends with the host at the latest. */
  start(...args: string[]): ChildProcess {
    const child = spawn("nsenter", this.#inside(args), { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** Sends what is not on the wire to the host under test. */
  async routeThroughHost(): Promise<void> {
    await this.ok("ip", "route", "replace", "default", "via", this.hostAddress);
    await this.ok("ip", "-6", "route", "replace", "default", "via", this.hostAddress6);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.#children, this.#holder].filter((child) => child.exitCode === null && child.signalCode === null);
    const ended = ends.map((child) => new Promise((done) => child.once("exit", done)));
    for (const child of ends) child.kill("SIGKILL");
    await Promise.all(ended);
    // The namespace takes its end of the pair with it, a moment later; we do not wait for that.
    await command("ip", ["link", "del", this.device]);
  }
}

async function must(file: string, args: readonly string[]): Promise<void> {
  const result = await command(file, args);
  assert.equal(result.status, 0, `${file} ${args.join(" ")}: ${result.stderr}`);
}

/** Closes the daemon, which asserts that nothing is left, and ends the hosts in any case. */
export async function closeWith(daemon: Daemon, hosts: readonly OtherHost[]): Promise<void> {
  try {
    await daemon.close();
  } finally {
    await daemon.kill("SIGKILL");
    for (const host of hosts) await host[Symbol.asyncDispose]();
  }
}
