import { createWriteStream, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Command, ExitError } from "../command.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { writeAll } from "../output/write.ts";

function checkPath(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new ExitError(1, "failed to save image: cannot write to a directory");
  if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new ExitError(1, `failed to save image: invalid output path: stat ${dirname(path)}: no such file or directory`);
}

/** A plain file becomes visible when it is whole; a device or pipe is written to as it is. */
async function writeFile(path: string, body: AsyncIterable<Buffer>): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) {
    await pipeline(body, createWriteStream(path));
    return;
  }
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    await pipeline(body, createWriteStream(partial, { mode: 0o600 }));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

export const command: Command = {
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { least: 1 },
  flags: [
    { name: "output", short: "o", type: "string", help: "Write to a file instead of STDOUT" },
    { ...platformFlag, help: 'Save only this platform ("os[/arch[/variant]]")' },
  ],
  async run(context, flags, names) {
    const path = flags.string("output");
    if (path === "" && process.stdout.isTTY) throw new ExitError(1, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    if (path !== "") checkPath(path);
    const response = await context.client().call("GET", "/images/get", { query: { names } });
    if (path === "") for await (const chunk of response.body) writeAll(1, chunk);
    else await writeFile(path, response.body);
    return 0;
  },
};
