import type { PortBinding } from "../spec/spec.ts";
import type { PublishedPort } from "./firewall.ts";
import { keyOf } from "./port-bindings.ts";

/** NetworkSettings.Ports: what is exposed or published; null: not published. In ascending order, as Docker's sorted maps come out. */
export function portSettings(ports: readonly PublishedPort[], exposedPorts: readonly string[]): Record<string, PortBinding[] | null> {
  const found = new Map<string, PortBinding[] | null>();
  for (const text of exposedPorts) found.set(keyOf(text), null);
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}`;
    const binding = { HostIp: port.hostAddress, HostPort: port.routed === true ? "" : String(port.hostPort) };
    const bindings = found.get(key);
    if (bindings == null) found.set(key, [binding]);
    else bindings.push(binding);
  }
  const settings: Record<string, PortBinding[] | null> = {};
  for (const key of [...found.keys()].sort()) settings[key] = found.get(key) ?? null;
  return settings;
}
