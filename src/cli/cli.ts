/**
 * The `berth` command line: Docker's verbs, flags, tables and exit statuses over the Engine API.
 *
 * `main.ts` reads the global flags, finds the verb in `commands.ts` and loads its file from `verbs/` alone, so
 * that a call pays for what it uses. A verb parses nothing itself: `flags/` does, by the verb's table.
 * `options/` turns the flags of `run` into a request, `streams/` carries a container's streams, `output/` and
 * `template/` print.
 */
export type { Command, Context, Entry } from "./command.ts";
