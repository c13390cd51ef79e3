import { humanDuration } from "../../base/duration.ts";
import { shortId } from "../../base/ids.ts";
import { familiarName, parseReference } from "../../base/reference.ts";
import { formatSize } from "../../base/units.ts";
import type { ContainerSummary, PortSummary } from "../../spec/spec.ts";
import type { ListShape } from "./format-list.ts";
import { ellipsis, goTime } from "./text.ts";

const joinHostPort = (ip: string, port: string): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface PortRun {
  readonly ip: string;
  readonly type: string;
  readonly first: number;
  last: number;
}

function showRun({ ip, type, first, last }: PortRun): string {
  const ports = first === last ? String(first) : `${first}-${last}`;
  return ip === "" ? `${ports}/${type}` : `${joinHostPort(ip, ports)}->${ports}/${type}`;
}

/** `0.0.0.0:8080->80/tcp, 443/tcp`; neighbours that are published under their own numbers become a range. */
export function showPorts(ports: readonly PortSummary[]): string {
  const order = [...ports].sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      byText(a.IP ?? "", b.IP ?? "") ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      byText(a.Type, b.Type),
  );
  const done: string[] = [];
  const moved: string[] = [];
  const open = new Map<string, PortRun>();
  for (const port of order) {
    const ip = port.IP ?? "";
    if (ip !== "" && port.PublicPort !== port.PrivatePort) {
      moved.push(`${joinHostPort(ip, String(port.PublicPort ?? 0))}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = `${ip}/${port.Type}`;
    const run = open.get(key);
    if (run !== undefined && run.last + 1 === port.PrivatePort) {
      run.last = port.PrivatePort;
      continue;
    }
    if (run !== undefined) done.push(showRun(run));
    open.set(key, { ip, type: port.Type, first: port.PrivatePort, last: port.PrivatePort });
  }
  return [...done, ...[...open.values()].map(showRun), ...moved].join(", ");
}

function showImage(container: ContainerSummary, truncate: boolean): string {
  const image = container.Image ?? "";
  if (image === "") return "<no image>";
  if (!truncate) return image;
  const id = shortId(container.ImageID ?? "");
  if (id !== "" && id === shortId(image)) return id;
  try {
    const reference = parseReference(image);
    return reference.tag === undefined ? familiarName(reference) : `${familiarName(reference)}:${reference.tag}`;
  } catch {
    return image; // An id: it is shown as it is.
  }
}

/** Names without their leading slash; links (`/a/b`) only in full output. */
function showNames(container: ContainerSummary, truncate: boolean): string {
  const names = (container.Names ?? []).map((name) => name.replace(/^\//, ""));
  return (truncate ? names.filter((name) => !name.includes("/")) : names).join(",");
}

function showMounts(container: ContainerSummary, truncate: boolean): string {
  const names = (container.Mounts ?? []).map((mount) => {
    const name = mount.Name === undefined || mount.Name === "" ? (mount.Source ?? "") : mount.Name;
    return truncate ? ellipsis(name, 15) : name;
  });
  return names.join(",");
}

function showContainerSize(container: ContainerSummary): string {
  const own = formatSize(container.SizeRw ?? 0);
  return (container.SizeRootFs ?? 0) > 0 ? `${own} (virtual ${formatSize(container.SizeRootFs ?? 0)})` : own;
}

export const showLabels = (labels: Readonly<Record<string, string>> | null | undefined): string =>
  Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");

export const containerShape: ListShape<ContainerSummary> = {
  typeName: "formatter.ContainerContext",
  failure: "failed to execute template",
  table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
  quiet: "{{.ID}}",
  raw: [
    "container_id: {{.ID}}",
    "image: {{.Image}}",
    "command: {{.Command}}",
    "created_at: {{.CreatedAt}}",
    "state: {{.State}}",
    "status: {{.Status}}",
    "names: {{.Names}}",
    "labels:{{with .Labels}} {{.}}{{end}}",
    "ports:{{with .Ports}} {{.}}{{end}}",
    "",
  ].join("\n"),
  headers: {
    ID: "CONTAINER ID",
    Names: "NAMES",
    Image: "IMAGE",
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    RunningFor: "CREATED",
    Ports: "PORTS",
    State: "STATE",
    Status: "STATUS",
    Size: "SIZE",
    Labels: "LABELS",
    Mounts: "MOUNTS",
    LocalVolumes: "LOCAL VOLUMES",
    Networks: "NETWORKS",
    Platform: "PLATFORM",
  },
  fields: (container, truncate) => {
    const created = container.Created ?? 0;
    const command = container.Command ?? "";
    return {
      Command: () => JSON.stringify(truncate ? ellipsis(command, 20) : command),
      CreatedAt: () => goTime(new Date(created * 1000)),
      ID: () => (truncate ? shortId(container.Id ?? "") : (container.Id ?? "")),
      Image: () => showImage(container, truncate),
      Label: () => (name: unknown) => container.Labels?.[String(name)] ?? "",
      Labels: () => showLabels(container.Labels),
      LocalVolumes: () => String((container.Mounts ?? []).filter((mount) => mount.Driver === "local").length),
      Mounts: () => showMounts(container, truncate),
      Names: () => showNames(container, truncate),
      Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
      Platform: () => null,
      Ports: () => showPorts(container.Ports ?? []),
      RunningFor: () => `${humanDuration(Date.now() / 1000 - created)} ago`,
      Size: () => showContainerSize(container),
      State: () => container.State ?? "",
      Status: () => container.Status ?? "",
    };
  },
};
