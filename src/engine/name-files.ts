/**
 * /etc/hosts and /etc/resolv.conf of containers that run. Both are bound into the container, which may write them too: they
 * are changed in place, by single lines, and what somebody else has put there stays.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, log } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { FileChanges } from "../networks/networks.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/** What is longer a container has made so; reading it is not ours to pay for. */
const longestBytes = 1024 * 1024;

/** Changes a file unless `edit` gives the text back as it was. A file that is not there is passed over. */
export async function editFile(context: EngineContext, live: LiveContainer, name: string, edit: (text: string) => string): Promise<void> {
  await live.nameFiles.run(async () => {
    try {
      await using file = await open(join(context.statePath(live.id), name), "r+");
      const { size } = await file.stat();
      if (size > longestBytes) return log.warn("a container's file is too long to be changed", { container: live.id, name, size });
      const text = (await file.readFile()).toString();
      const edited = edit(text);
      if (edited === text) return;
      // Whoever reads it meanwhile sees lines too many rather than none.
      await file.write(edited, 0);
      await file.truncate(Buffer.byteLength(edited));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  });
}

/** With lines taken out and others put at the end. */
function withLines(text: string, { hostsAdded, hostsRemoved }: Pick<FileChanges, "hostsAdded" | "hostsRemoved">): string {
  const lines = text.split("\n").filter((line) => !hostsRemoved.includes(line));
  if (hostsAdded.length === 0) return lines.join("\n");
  if (lines.at(-1) === "") lines.pop();
  return `${[...lines, ...hostsAdded].join("\n")}\n`;
}

/** The container's, and those of the containers that have joined its network. */
export async function changeNameFiles(context: EngineContext, live: LiveContainer, changes: FileChanges): Promise<void> {
  const { hostsAdded, hostsRemoved, resolvConf } = changes;
  if (hostsAdded.length + hostsRemoved.length === 0 && resolvConf === undefined) return;
  for (const one of [live, ...joinedTo(context, live)]) {
    try {
      await editFile(context, one, "hosts", (text) => withLines(text, changes));
      if (resolvConf !== undefined)
        await editFile(context, one, "resolv.conf", (text) => (text === resolvConf.before ? resolvConf.after : text));
    } catch (error) {
      // The network is as it was asked for; names in a file of the container's do not undo it.
      log.warn("a container's hosts or resolv.conf was not changed", { container: one.id, error });
    }
  }
}

/** Directly or by way of others. */
function joinedTo(context: EngineContext, live: LiveContainer): LiveContainer[] {
  const joined: LiveContainer[] = [];
  for (const record of context.store.list()) {
    if (record.settings.hostConfig.NetworkMode !== `container:${live.id}` || !isActive(record.status.state)) continue;
    const other = context.liveOf(record.id);
    joined.push(other, ...joinedTo(context, other));
  }
  return joined;
}
