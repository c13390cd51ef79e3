/** `berth image layers` and `berth image diff`: what the indexes of an image's layers tell. */
import type { Digest } from "../base/base.ts";
import type { ImageDifference, ImageLayerFile, ImageLayers } from "../spec/spec.ts";
import type { Pins } from "./custody.ts";
import type { ImageStore, StoredImage } from "./store.ts";

/** For as long as `pins` is not disposed of, nobody removes the image's layers. */
async function pinLayers(pins: Pins, image: StoredImage): Promise<readonly Digest[]> {
  const chain = image.config.rootfs.diff_ids;
  for (const diffId of new Set(chain)) await pins.layer(diffId);
  return chain;
}

/** By layer, the instruction that made it, where the history tells. */
function makers(image: StoredImage): string[] {
  return (image.config.history ?? []).filter((entry) => entry.empty_layer !== true).map((entry) => entry.created_by ?? "");
}

const tally = ({ count, sizeBytes }: { count: number; sizeBytes: number }): { Count: number; Size: number } => ({
  Count: count,
  Size: sizeBytes,
});

export async function reportLayers(store: ImageStore, image: StoredImage): Promise<ImageLayers> {
  await using pins = store.custody.pins();
  const chain = await pinLayers(pins, image);
  const sizes = store.rows.layersOf(image.id);
  const createdBy = makers(image);
  const survey = store.ports.layers.survey(chain);
  let step = await survey.next();
  while (step.done !== true) step = await survey.next();
  const { layers, wasted } = step.value;
  return {
    Id: image.id,
    Size: image.sizeBytes,
    WastedSize: layers.reduce((sum, layer) => sum + layer.wastedBytes, 0),
    Layers: layers.map((layer, position) => ({
      DiffID: chain[position] as Digest,
      Size: sizes[position]?.sizeBytes ?? 0,
      CreatedBy: createdBy[position] ?? "",
      Added: tally(layer.added),
      Changed: tally(layer.changed),
      Removed: tally(layer.removed),
      WastedSize: layer.wastedBytes,
    })),
    Wasted: wasted.map((file) => ({ Path: file.path, Size: file.sizeBytes, Layer: file.layer, HiddenBy: file.hiddenBy })),
  };
}

/** Every path of every layer. A reader that leaves ends the work; one that is slow holds it up. */
export async function* listLayerFiles(store: ImageStore, image: StoredImage): AsyncGenerator<ImageLayerFile> {
  await using pins = store.custody.pins();
  const chain = await pinLayers(pins, image);
  for await (const changes of store.ports.layers.survey(chain))
    for (const { layer, kind, path, type, sizeBytes } of changes)
      yield { Layer: layer, Kind: kind, Path: path, Type: type, Size: sizeBytes };
}

export async function* compareImages(store: ImageStore, from: StoredImage, to: StoredImage): AsyncGenerator<ImageDifference> {
  await using pins = store.custody.pins();
  const chains = [await pinLayers(pins, from), await pinLayers(pins, to)] as const;
  for await (const { kind, path, type, what, fromBytes, toBytes } of store.ports.layers.differences(...chains))
    yield { Kind: kind, Path: path, Type: type, What: what, FromSize: fromBytes, ToSize: toBytes };
}
