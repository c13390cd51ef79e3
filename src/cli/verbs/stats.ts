import { messageOf } from "../../base/errors.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import type { ContainerStatsResponse, ContainerSummary, EventMessage } from "../../spec/spec.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import { formatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { containerPath } from "../object-paths.ts";
import { formatList, type ListOptions } from "../output/format-list.ts";
import { type ContainerUsage, containerUsage, type StatsLine, statsShape } from "../output/stats.ts";

const refreshMs = 500;
/** A container that says nothing for so long is shown as unknown. */
const silenceMs = 3000;

/** The latest numbers of one container. */
class Watched {
  readonly container: string;
  readonly #abort: AbortController = new AbortController();
  usage: ContainerUsage | undefined;
  failure: unknown;
  /** Settles with the first numbers, or the failure to get any. */
  readonly first: Promise<void>;
  /** The daemon has nothing more to tell of it. */
  over = false;
  readonly #ended: Promise<void>;
  #silence: NodeJS.Timeout | undefined;

  constructor(client: EngineClient, container: string, stream: boolean) {
    this.container = container;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.first = promise;
    this.#ended = this.#follow(client, stream, resolve)
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.failure = error;
      })
      .finally(() => {
        this.over = true;
        resolve();
      });
  }

  async #follow(client: EngineClient, stream: boolean, heard: () => void): Promise<void> {
    const call = { query: { stream: stream ? 1 : 0 }, signal: this.#abort.signal };
    const path = `${containerPath(this.container)}/stats`;
    for await (const stats of client.lines<ContainerStatsResponse>("GET", path, call)) {
      this.usage = containerUsage(stats);
      heard();
      clearTimeout(this.#silence);
      if (!stream) return;
      this.#silence = setTimeout(() => {
        this.usage = undefined;
        heard();
      }, silenceMs);
      this.#silence.unref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#silence);
    await this.#ended;
  }
}

class Stats {
  readonly #context: Context;
  readonly #client: EngineClient;
  readonly #stream: boolean;
  readonly #options: ListOptions;
  readonly #watched: Map<string, Watched> = new Map();

  constructor(context: Context, stream: boolean, options: ListOptions) {
    this.#context = context;
    this.#client = context.client();
    this.#stream = stream;
    this.#options = options;
  }

  watch(container: string): void {
    if (!this.#watched.has(container)) this.#watched.set(container, new Watched(this.#client, container, this.#stream));
  }

  forget(container: string): void {
    void this.#watched.get(container)?.[Symbol.asyncDispose]();
    this.#watched.delete(container);
  }

  async listed(all: boolean): Promise<void> {
    const containers = await this.#client.json<ContainerSummary[]>("GET", "/containers/json", { query: { all } });
    for (const { Id = "" } of containers) this.watch(Id.slice(0, 12));
  }

  /** Containers that come and go while the table is shown. */
  async follow(all: boolean, signal: AbortSignal): Promise<void> {
    const filters = JSON.stringify({ type: { container: true } });
    const starts = new Set(all ? ["create", "start"] : ["start"]);
    const ends = new Set(all ? ["destroy"] : ["die", "destroy"]);
    for await (const event of this.#client.lines<EventMessage>("GET", "/events", { query: { filters }, signal })) {
      const container = (event.Actor?.ID ?? "").slice(0, 12);
      if (starts.has(event.Action ?? "")) this.watch(container);
      if (ends.has(event.Action ?? "")) this.forget(container);
    }
  }

  async #firstOfAll(): Promise<readonly unknown[]> {
    await Promise.all([...this.#watched.values()].map((one) => one.first));
    return [...this.#watched.values()].flatMap((one) => (one.failure === undefined ? [] : [one.failure]));
  }

  #table(): string {
    const lines: StatsLine[] = [...this.#watched.values()].map(({ container, usage }) => ({ container, usage }));
    return formatList(statsShape, lines, this.#options);
  }

  /** @throws ExitError when a container that was named cannot be watched */
  async once(named: boolean): Promise<void> {
    const failures = await this.#firstOfAll();
    if (named && failures.length > 0) throw new ExitError(1, failures.map(messageOf).join("\n"));
    this.#context.out(this.#table());
  }

  /** Redraws until nothing is left to show of the containers that were named. */
  async live(named: boolean): Promise<void> {
    if (named) {
      const failures = await this.#firstOfAll();
      if (failures.length > 0) throw new ExitError(1, failures.map(messageOf).join("\n"));
    }
    for (;;) {
      for (const [container, { over }] of this.#watched) if (over) this.forget(container);
      const lines = this.#table().replace(/\n$/, "").split("\n");
      // Each line clears what stood right of it, the last all that stood below: nothing flickers.
      this.#context.out(`\x1b[H${lines.map((line) => `${line} \x1b[K\n`).join("")}\x1b[J`);
      if (named && this.#watched.size === 0) return;
      await new Promise((resolve) => setTimeout(resolve, refreshMs));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watched.values()].map((one) => one[Symbol.asyncDispose]()));
  }
}

export const command: Command = {
  usage: "[OPTIONS] [CONTAINER...]",
  args: { least: 0 },
  completes: "containers",
  flags: [
    { name: "all", short: "a", type: "bool", help: "Show all containers (default shows just running)" },
    formatFlag,
    { name: "no-stream", type: "bool", help: "Show the first numbers only" },
    { ...noTruncFlag, help: "Do not truncate output" },
  ],
  async run(context, flags, names) {
    const all = flags.bool("all");
    const stream = !flags.bool("no-stream");
    const format = flags.string("format");
    const options: ListOptions = {
      format: format === "" ? context.configuration().text("statsFormat") : format,
      quiet: false,
      truncate: !flags.bool("no-trunc"),
    };
    await using stats = new Stats(context, stream, options);
    for (const name of names) stats.watch(name);
    if (names.length > 0) {
      await (stream ? stats.live(true) : stats.once(true));
      return 0;
    }
    const ended = new AbortController();
    // The events are asked for first, so that no container slips in between.
    const events = stream ? stats.follow(all, ended.signal) : undefined;
    await stats.listed(all);
    try {
      await (events === undefined ? stats.once(false) : Promise.race([stats.live(false), events]));
    } finally {
      ended.abort();
      await events?.catch(() => {});
    }
    return 0;
  },
};
