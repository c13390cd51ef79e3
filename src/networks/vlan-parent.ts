/** The host's interface below a network of driver macvlan or ipvlan: found, made, taken away. */
import { type EngineError, log, messageOf, systemError } from "../base/base.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { addDummy, addLoosePair, addVlan, deleteLink, getLink, probeStackedKind, setLink } from "../kernel/rtnetlink.ts";
import { type Link, parseLinks } from "../kernel/rtnetlink-dump.ts";
import type { NetworkKernel } from "./records.ts";

type Netlink = Pick<NetworkKernel, "netlink">;

const noDevice = 19;
const notSupported = 95;
const exists = 17;

export interface Parent {
  readonly device: string;
  /** By us, and to be taken away with the last network that uses it. */
  readonly made: boolean;
}

/** For a network that names no parent: `dm-` and twelve digits of its id. */
const isLooseParent = (device: string): boolean => /^dm-[0-9a-f]{12}$/.test(device);

const errnoOf = (error: unknown): number => launchFailureOf(error)?.errno ?? 0;

/** An interface of the host. */
export async function findLink(kernel: Netlink, name: string): Promise<Link | undefined> {
  try {
    return parseLinks(await kernel.netlink(0, getLink(name)))[0];
  } catch (error) {
    if (errnoOf(error) === noDevice) return undefined;
    throw error;
  }
}

/** `eth0.50` as its interface and the VLAN's number. @throws System in Docker's wording */
function parseVlan(device: string): { readonly below: string; readonly id: number } {
  const parts = device.split(".");
  const [below = "", number = ""] = parts;
  if (parts.length === 1) throw systemError(`invalid subinterface vlan name ${device}, example formatting is eth0.10`);
  if (parts.length > 2)
    throw systemError(`required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${device}`);
  if (!/^[+-]?\d+$/.test(number)) throw systemError(`unable to parse a valid vlan id from: ${number} (ex. eth0.10 for vlan 10)`);
  return { below, id: Number(number) };
}

async function linkBelow(kernel: Netlink, device: string): Promise<{ readonly link: Link; readonly id: number }> {
  const { below, id } = parseVlan(device);
  const link = await findLink(kernel, below);
  if (link === undefined) throw systemError(`-o parent interface was not found on the host: ${below}`);
  if (id < 1 || id > 4094) throw systemError(`vlan id must be between 1-4094, received: ${id}`);
  return { link, id };
}

/**
 * What is to be recorded before anything is made: whether the parent is there already, or one that we make.
 * @throws System in Docker's wording when it can be neither, or when the kernel has no such interfaces
 */
export async function findParent(kernel: Netlink, driver: "macvlan" | "ipvlan", planned: Parent): Promise<Parent> {
  const refusal = await kernel.netlink(0, probeStackedKind(driver)).then(
    () => 0,
    (error: unknown) => errnoOf(error),
  );
  if (refusal === notSupported) throw systemError(`failed to create the ${driver} port: operation not supported`);
  if (isLooseParent(planned.device)) return { ...planned, made: true };
  if ((await findLink(kernel, planned.device)) !== undefined) return planned;
  await linkBelow(kernel, planned.device);
  return { ...planned, made: true };
}

/** Where the kernel has no dummies, a pair whose other end nobody uses serves as well. */
async function makeLooseParent(kernel: Netlink, device: string): Promise<void> {
  try {
    await kernel.netlink(0, addDummy(device));
  } catch (error) {
    if (errnoOf(error) !== notSupported) throw error;
    const peer = device.replace("dm-", "dp-");
    await kernel.netlink(0, addLoosePair(device, peer));
    const link = await findLink(kernel, peer);
    if (link !== undefined) await kernel.netlink(0, setLink(link.index, { up: true }));
  }
}

async function makeParent(kernel: Netlink, device: string): Promise<void> {
  if (isLooseParent(device)) {
    await makeLooseParent(kernel, device);
    return;
  }
  const { link, id } = await linkBelow(kernel, device);
  await kernel.netlink(0, addVlan({ name: device, parent: link.index, id })).catch((error: unknown): never => {
    throw errnoOf(error) === notSupported ? notMade(device, "operation not supported") : notMade(device, messageOf(error));
  });
}

const notMade = (device: string, why: string): EngineError => systemError(`failed to create ${device} vlan link: ${why}`);

/**
 * Makes the parent if it is one that we make and is not there: with a new network, and with each start of the daemon.
 * @returns its index. @throws System in Docker's wording
 */
export async function openParent(kernel: Netlink, { device, made }: Parent): Promise<number> {
  const found = await findLink(kernel, device);
  if (found !== undefined) {
    if (made && !found.up) await kernel.netlink(0, setLink(found.index, { up: true }));
    return found.index;
  }
  if (!made) throw systemError(`the requested parent interface ${device} was not found on the Docker host`);
  await makeParent(kernel, device).catch((error: unknown) => {
    // Two networks of one parent, at once.
    if (errnoOf(error) !== exists) throw error;
  });
  const link = await findLink(kernel, device);
  if (link === undefined) throw systemError(`${device} vanished while it was made`);
  return link.index;
}

const ownKinds: readonly string[] = ["vlan", "dummy", "veth"];

/** Takes away a parent of ours; the caller knows that no other network uses it. Idempotent; what fails is logged. */
export async function closeParent(kernel: Netlink, { device, made }: Parent): Promise<void> {
  if (!made) return;
  try {
    const link = await findLink(kernel, device);
    if (link !== undefined && ownKinds.includes(link.kind)) await kernel.netlink(0, deleteLink(link.index));
  } catch (error) {
    log.warn("a parent interface was not taken away", { device, error: messageOf(error) });
  }
}
