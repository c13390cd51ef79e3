/**
 * Requests to the kernel's links, addresses and routes (rtnetlink(7)), each one message with an acknowledgement.
 * Interfaces are named by index, or by name where the kernel takes one. Numbers: linux/rtnetlink.h, if_link.h, if_addr.h.
 */
import { addressBytes, macBytes } from "./netlink-address.ts";
import { NetlinkWriter, requestFlags } from "./netlink-message.ts";

const types = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
  newNeighbour: 28,
};
const attributes = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  linkInfo: 18,
  familySpec: 26,
  group: 27,
  netnsFd: 28,
  sendQueues: 31,
  receiveQueues: 32,
};
const up = 1;
const inet4 = 2;
const inet6 = 10;
const bridgeFamily = 7;

export interface NetlinkRequest {
  readonly message: Uint8Array;
  /** Where a descriptor of the target namespace is to be written. */
  readonly netnsFdAt: readonly number[];
}

function encode(type: number, flags: number, body: (writer: NetlinkWriter) => void): Uint8Array {
  const writer = new NetlinkWriter();
  writer.message(type, flags | requestFlags.request | requestFlags.ack, 1, () => body(writer));
  return writer.bytes;
}

/** struct ifinfomsg. `flags` are set where `mask` has a bit. */
function linkHeader(writer: NetlinkWriter, index: number, flags = 0, mask = 0, family = 0): void {
  writer.raw([family, 0, 0, 0]);
  writer.rawU32(index);
  writer.rawU32(flags);
  writer.rawU32(mask);
}

export interface VethPair {
  /** This end: made on the host, attached to `master` and set up. Indexes are chosen by the caller. */
  readonly host: { readonly name: string; readonly index: number; readonly master: number };
  /** The other end: made straight inside the namespace whose descriptor is patched in, and left down. */
  readonly peer: { readonly name: string; readonly index: number; readonly mac: string };
  readonly mtu: number;
}

/**
 * Makes a veth pair with one end in another network namespace, in one message. The kernel honours a wished peer index only
 * together with a wished index of the first end (veth_newlink), so both are given.
 */
export function addVethPair(pair: VethPair): NetlinkRequest {
  let netnsFdAt = 0;
  // One queue each: left to itself the kernel makes as many as there are processors, with files in sysfs for each.
  const queues = (writer: NetlinkWriter): void => {
    writer.u32(attributes.sendQueues, 1);
    writer.u32(attributes.receiveQueues, 1);
  };
  const message = encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, pair.host.index, up, up);
    writer.text(attributes.name, pair.host.name);
    writer.u32(attributes.mtu, pair.mtu);
    writer.u32(attributes.master, pair.host.master);
    queues(writer);
    writer.nest(attributes.linkInfo, () => {
      writer.text(1, "veth");
      writer.nest(2, () => {
        writer.nest(
          1,
          () => {
            linkHeader(writer, pair.peer.index);
            writer.text(attributes.name, pair.peer.name);
            writer.u32(attributes.mtu, pair.mtu);
            queues(writer);
            writer.attribute(attributes.address, macBytes(pair.peer.mac));
            netnsFdAt = writer.u32(attributes.netnsFd, 0);
          },
          false,
        );
      });
    });
  });
  return { message, netnsFdAt: [netnsFdAt] };
}

/** An interface on top of another one, which it shares with the host and with others of its kind. */
export type StackedKind =
  | { readonly kind: "macvlan"; readonly mode: keyof typeof macvlanModes }
  | { readonly kind: "ipvlan"; readonly mode: keyof typeof ipvlanModes; readonly flag: keyof typeof ipvlanFlags };

const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const ipvlanModes = { l2: 0, l3: 1, l3s: 2 };
const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 };

export interface StackedLink {
  readonly how: StackedKind;
  /** The host's interface below. */
  readonly parent: number;
  readonly name: string;
  /** In the new namespace. Kernels before 6.13 want that the host has no such index either. */
  readonly index: number;
  /** Undefined: the kernel makes one up; an ipvlan has its parent's. */
  readonly mac?: string;
}

/** Makes a macvlan or ipvlan interface straight inside the namespace whose descriptor is patched in, and leaves it down. */
export function addStackedLink(link: StackedLink): NetlinkRequest {
  let netnsFdAt = 0;
  const message = encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, link.index);
    writer.text(attributes.name, link.name);
    writer.u32(attributes.link, link.parent);
    if (link.mac !== undefined) writer.attribute(attributes.address, macBytes(link.mac));
    netnsFdAt = writer.u32(attributes.netnsFd, 0);
    writer.nest(attributes.linkInfo, () => {
      writer.text(1, link.how.kind);
      writer.nest(2, () => {
        if (link.how.kind === "macvlan") {
          writer.u32(1, macvlanModes[link.how.mode]);
          return;
        }
        writer.u16(1, ipvlanModes[link.how.mode]);
        writer.u16(2, ipvlanFlags[link.how.flag]);
      });
    });
  });
  return { message, netnsFdAt: [netnsFdAt] };
}

/** Makes nothing, whatever the answer: EOPNOTSUPP where the kernel has no such kind of link, EINVAL where it does. */
export function probeStackedKind(kind: StackedKind["kind"]): Uint8Array {
  return encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, 0);
    writer.nest(attributes.linkInfo, () => writer.text(1, kind));
  });
}

/** Makes an interface of the 802.1Q VLAN `id` on top of `parent`, up. */
export function addVlan(vlan: { readonly name: string; readonly parent: number; readonly id: number }): Uint8Array {
  return encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, 0, up, up);
    writer.text(attributes.name, vlan.name);
    writer.u32(attributes.link, vlan.parent);
    writer.nest(attributes.linkInfo, () => {
      writer.text(1, "vlan");
      writer.nest(2, () => writer.u16(1, vlan.id));
    });
  });
}

/** Makes an interface that leads nowhere, up. */
export function addDummy(name: string): Uint8Array {
  return encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, 0, up, up);
    writer.text(attributes.name, name);
    writer.nest(attributes.linkInfo, () => writer.text(1, "dummy"));
  });
}

/** Makes a veth pair on the host. This end is up; the peer cannot be before the pair is whole. */
export function addLoosePair(name: string, peer: string): Uint8Array {
  return encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, 0, up, up);
    writer.text(attributes.name, name);
    writer.nest(attributes.linkInfo, () => {
      writer.text(1, "veth");
      writer.nest(2, () => {
        writer.nest(
          1,
          () => {
            linkHeader(writer, 0);
            writer.text(attributes.name, peer);
          },
          false,
        );
      });
    });
  });
}

/** Makes a bridge device, down; its index is the caller's choice. EEXIST when the name or the index is taken. */
export function addBridge(bridge: {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
}): Uint8Array {
  return encode(types.newLink, requestFlags.create | requestFlags.exclusive, (writer) => {
    linkHeader(writer, bridge.index);
    writer.text(attributes.name, bridge.name);
    writer.u32(attributes.mtu, bridge.mtu);
    writer.attribute(attributes.address, macBytes(bridge.mac));
    writer.nest(attributes.linkInfo, () => writer.text(1, "bridge"));
  });
}

export interface LinkChange {
  readonly up?: boolean;
  readonly name?: string;
  readonly mtu?: number;
  readonly mac?: string;
  /** Index of the bridge; 0: none. */
  readonly master?: number;
  /** See {@link deleteGroup}. */
  readonly group?: number;
  /** False: no link-local IPv6 address is made when the link comes up (IN6_ADDR_GEN_MODE_NONE). */
  readonly linkLocalAddress?: boolean;
}

/** Changes a link. ENODEV when there is none. */
export function setLink(index: number, change: LinkChange): Uint8Array {
  return encode(types.newLink, 0, (writer) => {
    linkHeader(writer, index, change.up === true ? up : 0, change.up === undefined ? 0 : up);
    if (change.name !== undefined) writer.text(attributes.name, change.name);
    if (change.mtu !== undefined) writer.u32(attributes.mtu, change.mtu);
    if (change.mac !== undefined) writer.attribute(attributes.address, macBytes(change.mac));
    if (change.master !== undefined) writer.u32(attributes.master, change.master);
    if (change.group !== undefined) writer.u32(attributes.group, change.group);
    if (change.linkLocalAddress !== undefined) {
      const mode = change.linkLocalAddress ? 0 : 1;
      writer.nest(attributes.familySpec, () => writer.nest(inet6, () => writer.u8(8, mode)));
    }
  });
}

/** Lets a bridge send a frame back through the port that it came in by (hairpin). */
export function setBridgePort(index: number, port: { readonly hairpin?: boolean; readonly isolated?: boolean }): Uint8Array {
  return encode(types.setLink, 0, (writer) => {
    linkHeader(writer, index, 0, 0, bridgeFamily);
    writer.nest(12, () => {
      if (port.hairpin !== undefined) writer.u8(4, port.hairpin ? 1 : 0);
      if (port.isolated !== undefined) writer.u8(33, port.isolated ? 1 : 0);
    });
  });
}

/**
 * Tells the port's bridge that a MAC address is behind this port, without waiting for a frame from there. The entry moves
 * with the address and goes with the port.
 */
export function addBridgeForwarding(port: number, mac: string): Uint8Array {
  const [staticEntry, inMaster, linkLayerAddress] = [0x40, 0x04, 2];
  return encode(types.newNeighbour, requestFlags.create | requestFlags.replace, (writer) => {
    writer.raw([bridgeFamily, 0, 0, 0]);
    writer.rawU32(port);
    writer.raw([staticEntry, 0, inMaster, 0]);
    writer.attribute(linkLayerAddress, macBytes(mac));
  });
}

export function deleteLink(index: number): Uint8Array {
  return encode(types.deleteLink, 0, (writer) => linkHeader(writer, index));
}

/** All links of a group: the kernel closes them together, and waits once for those who may still send by them. */
export function deleteGroup(group: number): Uint8Array {
  return encode(types.deleteLink, 0, (writer) => {
    linkHeader(writer, 0);
    writer.u32(attributes.group, group);
  });
}

/** ENODEV when there is none of that name. */
export function deleteLinkNamed(name: string): Uint8Array {
  return encode(types.deleteLink, 0, (writer) => {
    linkHeader(writer, 0);
    writer.text(attributes.name, name);
  });
}

export interface InterfaceAddress {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
  /** IPv4 only. */
  readonly broadcast?: string;
}

function addressMessage(type: number, flags: number, entry: InterfaceAddress): Uint8Array {
  const bytes = addressBytes(entry.address);
  return encode(type, flags, (writer) => {
    // IFA_F_NODAD for IPv6: addresses are given out once, so duplicate detection would only delay the start.
    writer.raw([bytes.length === 4 ? inet4 : inet6, entry.prefixLength, bytes.length === 4 ? 0 : 2, 0]);
    writer.rawU32(entry.index);
    writer.attribute(1, bytes);
    writer.attribute(2, bytes);
    if (entry.broadcast !== undefined) writer.attribute(4, addressBytes(entry.broadcast));
  });
}

/** EEXIST when it is there. */
export function addAddress(entry: InterfaceAddress): Uint8Array {
  return addressMessage(types.newAddress, requestFlags.create | requestFlags.exclusive, entry);
}

/** EADDRNOTAVAIL when it is not there. */
export function deleteAddress(entry: InterfaceAddress): Uint8Array {
  return addressMessage(types.deleteAddress, 0, entry);
}

export interface RouteRequest {
  readonly family: 4 | 6;
  /** Undefined: the default route. */
  readonly destination?: { readonly address: string; readonly prefixLength: number };
  readonly gateway?: string;
  readonly index: number;
  /** In place of one to the same destination. */
  readonly replace?: boolean;
}

/** A route in the main table. Unless it replaces, EEXIST when there is the same one. */
export function addRoute(route: RouteRequest): Uint8Array {
  const [mainTable, bootProtocol, universe, onLink, unicast] = [254, 3, 0, 253, 1];
  return encode(
    types.newRoute,
    requestFlags.create | (route.replace === true ? requestFlags.replace : requestFlags.exclusive),
    (writer) => {
      const scope = route.gateway === undefined && route.family === 4 ? onLink : universe;
      writer.raw([route.family === 4 ? inet4 : inet6, route.destination?.prefixLength ?? 0, 0, 0, mainTable, bootProtocol, scope, unicast]);
      writer.rawU32(0);
      if (route.destination !== undefined) writer.attribute(1, addressBytes(route.destination.address));
      if (route.gateway !== undefined) writer.attribute(5, addressBytes(route.gateway));
      writer.u32(4, route.index);
    },
  );
}

/** Answered as by {@link dumpLinks}. ENODEV when there is none of that name. */
export function getLink(name: string): Uint8Array {
  return encode(types.getLink, 0, (writer) => {
    linkHeader(writer, 0);
    writer.text(attributes.name, name);
  });
}

export function dumpLinks(): Uint8Array {
  return encode(types.getLink, requestFlags.dump, (writer) => linkHeader(writer, 0));
}

/** Of both families. */
export function dumpAddresses(): Uint8Array {
  return encode(types.getAddress, requestFlags.dump, (writer) => writer.raw([0, 0, 0, 0, 0, 0, 0, 0]));
}

export function dumpRoutes(family: 4 | 6): Uint8Array {
  return encode(types.getRoute, requestFlags.dump, (writer) =>
    writer.raw([family === 4 ? inet4 : inet6, ...new Array<number>(11).fill(0)]),
  );
}
