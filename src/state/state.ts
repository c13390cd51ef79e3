/** The daemon's records on disk: one SQLite database, its schema and the typed queries of each table. */
export { type ContainerRow, ContainerRows } from "./containers.ts";
export * from "./database.ts";
export {
  type ImageRow,
  ImageRows,
  type IndexPartRow,
  type LayerBlobRow,
  type LayerRow,
  type ManifestRow,
  type NewImage,
  type ReferenceTarget,
} from "./images.ts";
export { type NetworkRow, type NetworkRows, networkRows } from "./networks.ts";
export { type VolumeRow, VolumeRows } from "./volumes.ts";
