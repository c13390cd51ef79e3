/** Read-only layer mounts, made by the broker in its own mount namespace. */
import { message, PayloadReader } from "./frames.ts";
import type { LayerMounts } from "./kernel.ts";
import { ByteWriter } from "./plan-encoding.ts";

export type Ask = (type: number, payload: Uint8Array) => Promise<Buffer>;

/** A key is a file name: at most 199 bytes, no slash, no dot in front. The broker refuses others. */
export function openLayerMounts(ask: Ask): LayerMounts {
  return {
    async mountErofs(key, index, devices) {
      return new PayloadReader(await ask(message.mountErofs, new ByteWriter().text(key).text(index).list(devices).bytes())).text();
    },
    async unmount(key) {
      await ask(message.unmount, new ByteWriter().text(key).bytes());
    },
    async mounted() {
      const reader = new PayloadReader(await ask(message.mounted, new Uint8Array()));
      return Array.from({ length: reader.u32() }, () => reader.text());
    },
  };
}
