/**
 * 127.0.0.11:53 in a container that may have a name server of its own, at port 53 of all addresses. A socket of ours there
 * would be in its way, so ours has another port, and rules of the container's network put one number for the other. They
 * look at addresses and ports alone: no connection is tracked for it.
 */
import { encodeTransaction } from "./nfnetlink.ts";
import { addChain, addRule, addTable, type TableName } from "./nftables.ts";
import { type Expression, equals, loadField, loadMeta } from "./nftables-expressions.ts";

/** Ours, on 127.0.0.11. Reserved, so that nobody else's server is there. */
export const dnsPort = 1011;

const table: TableName = { family: "ip", name: "berth-names" };
const nameServer = [127, 0, 0, 11];
const portBytes = (port: number): readonly number[] => [port >> 8, port & 255];
/** IPPROTO_*, and where in the transport header the checksum is. */
const transports = [
  { number: 17, checksumAt: 6 },
  { number: 6, checksumAt: 16 },
] as const;

const firstRegister = 8;
const transportHeader = 2;
const sourcePortAt = 0;
const destinationPortAt = 2;

function loadPort(offset: number): Expression {
  return {
    name: "payload",
    write: (writer) => {
      writer.u32be(1, firstRegister);
      writer.u32be(2, transportHeader);
      writer.u32be(3, offset);
      writer.u32be(4, 2);
    },
  };
}

/** Writes a port into the transport header, and mends its checksum. */
function setPort(port: number, offset: number, checksumAt: number): readonly [Expression, Expression] {
  const load: Expression = {
    name: "immediate",
    write: (writer) => {
      writer.u32be(1, firstRegister);
      writer.nest(2, () => writer.attribute(1, portBytes(port)));
    },
  };
  const store: Expression = {
    name: "payload",
    write: (writer) => {
      writer.u32be(5, firstRegister);
      writer.u32be(2, transportHeader);
      writer.u32be(3, offset);
      writer.u32be(4, 2);
      writer.u32be(6, 1);
      writer.u32be(7, checksumAt);
    },
  };
  return [load, store];
}

let redirect: Uint8Array | undefined;

/** The transaction that makes the rules, to be sent inside the container's network namespace. */
export function dnsRedirect(): Uint8Array {
  redirect ??= encodeRedirect();
  return redirect;
}

function encodeRedirect(): Uint8Array {
  const rules = transports.flatMap(({ number, checksumAt }) => [
    addRule(
      table,
      "output",
      loadField("destinationAddress4"),
      equals(nameServer),
      loadMeta("protocol"),
      equals([number]),
      loadPort(destinationPortAt),
      equals(portBytes(53)),
      ...setPort(dnsPort, destinationPortAt, checksumAt),
    ),
    addRule(
      table,
      "output",
      loadField("sourceAddress4"),
      equals(nameServer),
      loadMeta("protocol"),
      equals([number]),
      loadPort(sourcePortAt),
      equals(portBytes(dnsPort)),
      ...setPort(53, sourcePortAt, checksumAt),
    ),
  ]);
  return encodeTransaction([
    addTable(table),
    addChain(table, "output", { type: "filter", hook: "output", priority: -300, policy: "accept" }),
    ...rules,
  ]);
}
