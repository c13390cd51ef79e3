/**
 * The `berth` command line: Docker's verbs, flags, tables and exit statuses over the Engine API.
 *
 * `main.ts` reads the global flags, finds the verb in `commands.ts` and loads its file from `verbs/` alone, so
 * that a call pays for what it uses. A verb parses nothing itself: `flags/` does, by the verb's table.
 * `options/` turns the flags of `run` into a request, `streams/` carries a container's streams, `archive/` is the tars
 * of `cp`, `contexts/` says which daemon is meant, `output/` and `template/` print.
 *
 * The docker client is the reference. docker-parity.test.ts gives both the same words and the same answers of one socket;
 * help-parity.test.ts compares flags; test/clients/cli.test.ts runs both against a daemon.
 */
export type { Command, Context, Entry } from "./command.ts";
