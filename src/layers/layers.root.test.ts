/** Runs the contract for each driver. */
import { join } from "node:path";
import type { Kernel } from "../kernel/kernel.ts";
import { type ContractRoom, layerContract } from "./contract.ts";
import { openLayers } from "./open.ts";
import { RecordedMounts } from "./recorded-mounts.ts";

layerContract("erofs, mounted by the tests", async (scratch): Promise<ContractRoom> => {
  const mounts = new RecordedMounts();
  const root = join(scratch, "layers");
  const kernel = { layers: mounts, features: { erofsFiles: true } } as unknown as Kernel;
  const layers = await openLayers({ root, kernel });
  return {
    layers,
    root,
    dump: (lower, overlay) => mounts.dump(lower, overlay, scratch),
    [Symbol.asyncDispose]: () => layers[Symbol.asyncDispose](),
  };
});
