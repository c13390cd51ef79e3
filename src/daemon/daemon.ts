/**
 * The composition root. `main.ts` reads the command line (`settings.ts`: flags and daemon.json, dockerd's by name),
 * takes the data root for itself (`lock.ts`), opens every room and joins their ports (`open.ts`), and listens
 * (`listen.ts`). It ends on SIGTERM or SIGINT, or when the API asks for it; containers go on.
 */
export { openDaemon, type RunningDaemon } from "./open.ts";
export { type Command, readCommand, type Settings } from "./settings.ts";
