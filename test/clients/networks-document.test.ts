/** The examples of docs/networks.md, word by word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, Daemon, importBusybox, projectRoot } from "../daemon.ts";
import { pattern } from "../document-pattern.ts";

interface Example {
  readonly line: string;
  /** What is printed; `…` stands for any text. */
  readonly output: string;
}

function examples(document: string): Example[] {
  const blocks = [...document.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  return blocks
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((example) => {
      const [line = "", ...output] = example.split("\n");
      return { line, output: output.join("\n").trimEnd() };
    });
}

describe("docs/networks.md", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const all = examples(readFileSync(join(projectRoot, "docs/networks.md"), "utf8"));
  test("has examples", () => assert.ok(all.length > 20));
  for (const { line, output } of all)
    test(line, async () => {
      const env = { BERTH_HOST: daemon.host, PATH: `${projectRoot}:${process.env["PATH"]}` };
      const { status, stdout, stderr } = await command("sh", ["-c", line], { env });
      assert.equal(status, 0, stderr);
      assert.match(stdout.trimEnd(), pattern(output));
    });
});
