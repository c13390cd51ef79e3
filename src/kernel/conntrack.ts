/** Connection tracking over nfnetlink (linux/netfilter/nfnetlink_conntrack.h): flows of UDP by where they were sent to. */
import { addressBytes, addressText } from "./netlink-address.ts";
import { dataMessages, NetlinkWriter, parseAttributes, requestFlags } from "./netlink-message.ts";

const conntrackSubsystem = 1;
const messages = { get: 1, delete: 2 };
const familyNumber = { 4: 2, 6: 10 } as const;
const udp = 17;
/** CTA_*, CTA_TUPLE_*, CTA_IP_*, CTA_PROTO_*: the attributes that are used here. */
const attribute = {
  original: 1,
  filter: 25,
  ip: 1,
  protocol: 2,
  source: { 4: 1, 6: 3 },
  destination: { 4: 2, 6: 4 },
  number: 1,
  sourcePort: 2,
  destinationPort: 3,
};
/** CTA_FILTER_F_*: which parts of the tuple count. */
const counts = { destination: 1 << 1, protocol: 1 << 3, destinationPort: 1 << 5 };

/** A flow as its first packet was, before any address was translated. */
export interface Flow {
  readonly family: 4 | 6;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** Flows of UDP to a port. `destination` undefined: at any address. */
export interface FlowFilter {
  readonly family: 4 | 6;
  readonly destination?: string;
  readonly destinationPort?: number;
}

const portBytes = (port: number): Uint8Array => Uint8Array.of(port >>> 8, port & 255);

function encode(type: number, flags: number, family: 4 | 6, body: (writer: NetlinkWriter) => void): Uint8Array {
  const writer = new NetlinkWriter(160);
  writer.message((conntrackSubsystem << 8) | type, requestFlags.request | requestFlags.ack | flags, 1, () => {
    // Version 1: a deletion honours the family.
    writer.raw([familyNumber[family], 1, 0, 0]);
    body(writer);
  });
  return writer.bytes;
}

function writeTuple(writer: NetlinkWriter, family: 4 | 6, flow: Partial<Flow>): void {
  writer.nest(attribute.original, () => {
    writer.nest(attribute.ip, () => {
      if (flow.source !== undefined) writer.attribute(attribute.source[family], addressBytes(flow.source));
      if (flow.destination !== undefined) writer.attribute(attribute.destination[family], addressBytes(flow.destination));
    });
    writer.nest(attribute.protocol, () => {
      writer.u8(attribute.number, udp);
      if (flow.sourcePort !== undefined) writer.attribute(attribute.sourcePort, portBytes(flow.sourcePort));
      if (flow.destinationPort !== undefined) writer.attribute(attribute.destinationPort, portBytes(flow.destinationPort));
    });
  });
}

function writeFilter(writer: NetlinkWriter, filter: FlowFilter): void {
  writeTuple(writer, filter.family, filter);
  writer.nest(attribute.filter, () =>
    writer.u32(
      1,
      counts.protocol |
        (filter.destination === undefined ? 0 : counts.destination) |
        (filter.destinationPort === undefined ? 0 : counts.destinationPort),
    ),
  );
}

/** Deletes all that match. EINVAL or EOPNOTSUPP before Linux 6.11, which deletes single flows only. */
export function deleteFlows(filter: FlowFilter): Uint8Array {
  return encode(messages.delete, 0, filter.family, (writer) => writeFilter(writer, filter));
}

/** ENOENT when there is none. */
export function deleteFlow(flow: Flow): Uint8Array {
  return encode(messages.delete, 0, flow.family, (writer) => writeTuple(writer, flow.family, flow));
}

export function dumpFlows(filter: FlowFilter): Uint8Array {
  return encode(messages.get, requestFlags.dump, filter.family, (writer) => writeFilter(writer, filter));
}

const portOf = (bytes: Uint8Array | undefined): number => ((bytes?.[0] ?? 0) << 8) | (bytes?.[1] ?? 0);

/** What the kernel answers to {@link dumpFlows}. */
export function parseFlows(answer: Uint8Array): Flow[] {
  return dataMessages(answer).map(({ payload }) => {
    const family = payload[0] === familyNumber[6] ? 6 : 4;
    const tuple = parseAttributes(parseAttributes(payload, 4).get(attribute.original) ?? new Uint8Array());
    const ip = parseAttributes(tuple.get(attribute.ip) ?? new Uint8Array());
    const protocol = parseAttributes(tuple.get(attribute.protocol) ?? new Uint8Array());
    const address = (type: number): string => addressText(ip.get(type) ?? new Uint8Array(family === 4 ? 4 : 16));
    return {
      family,
      source: address(attribute.source[family]),
      sourcePort: portOf(protocol.get(attribute.sourcePort)),
      destination: address(attribute.destination[family]),
      destinationPort: portOf(protocol.get(attribute.destinationPort)),
    };
  });
}
