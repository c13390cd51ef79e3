/** Connections to unix sockets whose paths may be longer than the 107 bytes that an address has room for. */
import { once } from "node:events";
import { open } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { systemError } from "../base/base.ts";
import { encodeFrame, failureError, headerBytes, maxPayloadBytes, message, readFailure } from "./frames.ts";

const maxAddressBytes = 107;

/** Half-open: ending our side leaves the other's. @throws the system's error, ENOENT or ECONNREFUSED where nobody listens */
export async function connectUnix(path: string): Promise<Socket> {
  if (Buffer.byteLength(path) <= maxAddressBytes) return await connected(path);
  const directory = await open(dirname(path), "r");
  try {
    return await connected(`/proc/self/fd/${directory.fd}/${basename(path)}`);
  } finally {
    await directory.close();
  }
}

async function connected(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  // The other side ends connections with its container, also one that nobody reads yet: who uses it sees the end.
  socket.on("error", () => undefined);
  return socket;
}

/** Exactly `count` bytes, leaving what follows in the stream. @throws System when the stream ends before */
async function readExactly(socket: Socket, count: number): Promise<Buffer> {
  if (count === 0) return Buffer.alloc(0);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const look = (): void => {
    const bytes: unknown = socket.read(count);
    if (Buffer.isBuffer(bytes) && bytes.length === count) resolve(bytes);
    else if (bytes !== null || socket.readableEnded) end();
  };
  const end = (): void => reject(systemError("the other side has closed the connection"));
  socket.on("readable", look).once("end", end).once("close", end).once("error", reject);
  look();
  try {
    return await promise;
  } finally {
    socket.off("readable", look).off("end", end).off("close", end).off("error", reject);
  }
}

/** One answer, and not a byte more. @throws System with a LaunchFailure as cause when the other side refuses */
export async function readAnswer(socket: Socket): Promise<Buffer> {
  const header = await readExactly(socket, headerBytes);
  const length = header.readUInt32LE(0);
  if (length > maxPayloadBytes) throw systemError("the other side talks nonsense");
  const answer = await readExactly(socket, length);
  if (header.readUInt16LE(8) === message.failure) throw failureError(readFailure(answer));
  return answer;
}

/**
 * Makes a connection into a stream: sends one request and reads its answer, and not a byte more.
 * @param connecting a connection of {@link connectUnix} on which nothing has been said
 * @returns the socket, paused, and the answer's payload
 * @throws System with a LaunchFailure as cause when the other side refuses
 */
export async function openStream(
  connecting: Promise<Socket>,
  type: number,
  payload: Uint8Array,
): Promise<{ socket: Socket; answer: Buffer }> {
  const socket = await connecting;
  try {
    socket.write(encodeFrame(1, type, payload));
    const answer = await readAnswer(socket);
    return { socket, answer };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
