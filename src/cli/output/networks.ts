import { shortId } from "../../base/ids.ts";
import type { NetworkInspect } from "../../spec/spec.ts";
import { showLabels } from "./containers.ts";
import type { ListShape } from "./format-list.ts";
import { goTimeString } from "./text.ts";

export const networkShape: ListShape<NetworkInspect> = {
  typeName: "network.networkContext",
  table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
  quiet: "{{.ID}}",
  raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
  headers: {
    ID: "NETWORK ID",
    Name: "NAME",
    Driver: "DRIVER",
    Scope: "SCOPE",
    IPv4: "IPV4",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    CreatedAt: "CREATED AT",
  },
  fields: (network, truncate) => ({
    CreatedAt: () => goTimeString(String(network.Created ?? "0001-01-01T00:00:00Z")),
    Driver: () => network.Driver,
    ID: () => (truncate ? shortId(network.Id ?? "") : network.Id),
    IPv4: () => String(network.EnableIPv4 === true),
    IPv6: () => String(network.EnableIPv6 === true),
    Internal: () => String(network.Internal === true),
    Label: () => (name: unknown) => network.Labels?.[String(name)] ?? "",
    Labels: () => showLabels(network.Labels),
    Name: () => network.Name,
    Scope: () => network.Scope,
  }),
};
