/** A container's file system for those who look at it from outside: its root, and what Docker shows in it. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { HostOp, TreeView } from "../kernel/kernel.ts";
import type { SpecMount } from "../spec/spec.ts";
import { makeMissingSource } from "./bind-sources.ts";
import { mountOperations } from "./mount-operations.ts";
import { overlayOptions } from "./plan.ts";
import type { UserMount } from "./runtime.ts";
import { inOrder, userMount } from "./spec-mounts.ts";

export interface ViewRequest {
  readonly containerId: string;
  readonly statePath: string;
  /** Overlay lower directories, topmost first. */
  readonly lower: readonly string[];
  /** The container has processes: its own root is shown, and not one of the same directories. */
  readonly running: boolean;
  /** What is shown on top of the root, all but tmpfs; with none, not even the three files of the network. */
  readonly mounts: readonly UserMount[] | undefined;
}

/** They are there from the container's first start on. */
async function networkFiles(statePath: string): Promise<SpecMount[]> {
  const files = ["hosts", "hostname", "resolv.conf"].map((name) => ({ source: join(statePath, name), destination: `/etc/${name}` }));
  const there = await Promise.all(
    files.map(({ source }) =>
      access(source).then(
        () => true,
        () => false,
      ),
    ),
  );
  return files.filter((_, index) => there[index]).map((file) => ({ ...file, type: "bind", options: ["bind", "rprivate"] }));
}

/** Nothing of the view's mounts is told to anybody, whatever the container's are. */
function shownMount(mount: UserMount, facts: HostFacts): SpecMount {
  return userMount(mount.type === "bind" ? { ...mount, propagation: "rprivate" } : mount, facts);
}

/** @param socketPath of the container's monitor */
export async function treeView(request: ViewRequest, socketPath: string, facts: HostFacts): Promise<TreeView> {
  const { statePath, lower, mounts } = request;
  const overlay: HostOp = { op: "overlay", lower, upper: join(statePath, "upper"), work: join(statePath, "work"), options: overlayOptions };
  const own = (mounts ?? []).filter(({ type }) => type !== "tmpfs");
  await Promise.all(own.map(makeMissingSource));
  const shown = own.map((mount) => shownMount(mount, facts));
  const files = mounts === undefined ? [] : await networkFiles(statePath);
  const free = files.filter(({ destination }) => shown.every((mount) => mount.destination !== destination));
  const operations = mountOperations(inOrder([...free, ...shown]), { version: 2, namespaced: true, hierarchies: [] });
  return {
    ...(request.running ? { monitor: socketPath } : {}),
    prepare: [...(request.running ? [] : [overlay]), ...operations.prepare],
    attach: operations.init,
  };
}
