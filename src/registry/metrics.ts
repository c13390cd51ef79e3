/** Numbers for Prometheus, kept while requests are served, and a server for them. */
import { createServer } from "node:http";
import { type ListenAddress, listening } from "./listen.ts";

/** Upper bounds in seconds. */
const buckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

class Histogram {
  readonly counts: number[] = buckets.map(() => 0);
  sum = 0;
  count = 0;

  add(seconds: number): void {
    this.sum += seconds;
    this.count++;
    const at = buckets.findIndex((bound) => seconds <= bound);
    if (at >= 0) this.counts[at] = (this.counts[at] ?? 0) + 1;
  }
}

type RequestDone = (method: string, kind: string, status: number, seconds: number) => void;

export class Metrics {
  #inFlight = 0;
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();
  readonly #counters = new Map<string, number>();

  begin(): RequestDone {
    this.#inFlight++;
    return (method, kind, status, seconds) => {
      this.#inFlight--;
      // A client may invent methods; the metrics have those that there are.
      const known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].includes(method) ? method : "other";
      const labels = `{code="${status}",method="${known}",resource="${kind}"}`;
      this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
      const histogram = this.#durations.get(kind) ?? new Histogram();
      this.#durations.set(kind, histogram);
      histogram.add(seconds);
    };
  }

  /** @param name without `registry_` and `_total` */
  add(name: string, count = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + count);
  }

  /** @param gauges what is known elsewhere */
  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = [];
    const family = (name: string, type: string, samples: readonly string[]): void => {
      lines.push(`# TYPE registry_${name} ${type}`, ...samples.map((sample) => `registry_${name}${sample}`));
    };
    family("http_in_flight_requests", "gauge", [` ${this.#inFlight}`]);
    family(
      "http_requests_total",
      "counter",
      [...this.#requests].sort().map(([labels, count]) => `${labels} ${count}`),
    );
    lines.push("# TYPE registry_http_request_duration_seconds histogram");
    for (const [kind, histogram] of [...this.#durations].sort()) lines.push(...histogramLines(kind, histogram));
    for (const [name, count] of [...this.#counters].sort()) family(`${name}_total`, "counter", [` ${count}`]);
    for (const [name, value] of Object.entries(gauges)) family(name, "gauge", [` ${value}`]);
    return `${lines.join("\n")}\n`;
  }
}

function histogramLines(kind: string, { counts, sum, count }: Histogram): string[] {
  const name = "registry_http_request_duration_seconds";
  let below = 0;
  const bounded = buckets.map((bound, at) => {
    below += counts[at] ?? 0;
    return `${name}_bucket{resource="${kind}",le="${bound}"} ${below}`;
  });
  return [
    ...bounded,
    `${name}_bucket{resource="${kind}",le="+Inf"} ${count}`,
    `${name}_sum{resource="${kind}"} ${sum}`,
    `${name}_count{resource="${kind}"} ${count}`,
  ];
}

/** `GET /metrics` at an address of its own, until it is disposed of. */
export async function serveMetrics(address: ListenAddress, text: () => string): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((request, response) => {
    if ((request.url ?? "").replace(/\?.*$/, "") === "/metrics")
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }).end(text());
    else response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("404 page not found\n");
  });
  return listening(server, address);
}
