/** A context as one tar, as `context export` writes it: `meta.json` and `tls/docker/*.pem`. */
import { systemError } from "../../base/errors.ts";
import { blockBytes, headerBlocks, padding, type TarEntry } from "../archive/tar-header.ts";
import { TarReader } from "../archive/tar-reader.ts";
import type { ContextRecord, TlsFiles } from "./context-store.ts";

/** More than any certificate takes; what is bigger is no context. */
const mostBytes = 10 << 20;

const plain: Omit<TarEntry, "kind" | "name" | "mode"> = { uid: 0, gid: 0, sizeBytes: 0, mtimeSeconds: 0, link: "", major: 0, minor: 0 };

function file(name: string, mode: number, data: Buffer): Buffer[] {
  return [headerBlocks({ ...plain, kind: "file", name, mode, sizeBytes: data.length }), data, Buffer.alloc(padding(data.length))];
}

const folder = (name: string): Buffer => headerBlocks({ ...plain, kind: "directory", name, mode: 0o700 });

export function packContext(record: ContextRecord, tls: TlsFiles): Buffer {
  const parts = [...file("meta.json", 0o644, Buffer.from(JSON.stringify(record))), folder("tls")];
  if (tls.size > 0) parts.push(folder("tls/docker"), ...[...tls].flatMap(([name, data]) => file(`tls/docker/${name}`, 0o600, data)));
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
}

export async function unpackContext(source: AsyncIterable<Uint8Array>): Promise<{ record: ContextRecord; tls: TlsFiles }> {
  const reader = new TarReader(source);
  const tls = new Map<string, Buffer>();
  let record: ContextRecord | undefined;
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    if (entry.kind !== "file") continue;
    if (entry.sizeBytes > mostBytes) throw systemError("the archive is too big for a context");
    const data = Buffer.concat(await Array.fromAsync(reader.data()));
    const pem = /^tls\/docker\/([\w.-]+)$/.exec(entry.name)?.[1];
    if (entry.name === "meta.json") record = JSON.parse(data.toString()) as ContextRecord;
    else if (pem !== undefined) tls.set(pem, data);
    else throw systemError(`unexpected context file ${entry.name}`);
  }
  if (record === undefined) throw systemError("invalid context: no metadata found");
  return { record, tls };
}
