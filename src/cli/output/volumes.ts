import { formatSize } from "../../base/units.ts";
import type { Volume } from "../../spec/spec.ts";
import { showLabels } from "./containers.ts";
import type { ListShape } from "./format-list.ts";

const unknown = "N/A";

export const volumeShape: ListShape<Volume> = {
  typeName: "formatter.volumeContext",
  table: "{{.Driver}}\t{{.Name}}",
  quiet: "{{.Name}}",
  raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
  headers: {
    Availability: "AVAILABILITY",
    Driver: "DRIVER",
    Group: "GROUP",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Size: "SIZE",
    Status: "STATUS",
  },
  fields: (volume) => ({
    // Of volumes of a cluster, which there are none of here.
    Availability: () => unknown,
    Driver: () => volume.Driver,
    Group: () => unknown,
    Label: () => (name: unknown) => volume.Labels?.[String(name)] ?? "",
    Labels: () => showLabels(volume.Labels),
    Links: () => (volume.UsageData === undefined || volume.UsageData === null ? unknown : String(volume.UsageData.RefCount)),
    Mountpoint: () => volume.Mountpoint,
    Name: () => volume.Name,
    Scope: () => volume.Scope,
    Size: () => (volume.UsageData === undefined || volume.UsageData === null ? unknown : formatSize(volume.UsageData.Size, 4)),
    Status: () => unknown,
  }),
};
