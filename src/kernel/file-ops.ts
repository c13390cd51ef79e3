/** Batches of file operations, executed by workers of the broker. */
import { message } from "./frames.ts";
import type { FileOp, FileOps } from "./kernel.ts";
import type { Ask } from "./layer-mounts.ts";
import { ByteWriter, encodeFileOp } from "./plan-encoding.ts";

/** Bytes of operations after which a request is sent: small beside the broker's limit, large beside a round trip. */
const batchBytes = 1 << 20;

export function openFileOps(ask: Ask): FileOps {
  const send = async (root: string, count: number, ops: ByteWriter): Promise<void> => {
    const head = new ByteWriter(512).text(root).u32(count).bytes();
    await ask(message.files, Buffer.concat([head, ops.bytes()]));
  };
  return {
    async apply(root: string, ops: readonly FileOp[]): Promise<void> {
      let writer = new ByteWriter(65_536);
      let count = 0;
      for (const op of ops) {
        encodeFileOp(writer, op);
        count++;
        if (writer.length < batchBytes) continue;
        await send(root, count, writer);
        writer = new ByteWriter(65_536);
        count = 0;
      }
      if (count > 0) await send(root, count, writer);
    },
  };
}
