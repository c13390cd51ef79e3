import { request } from "node:http";
import type { Daemon } from "./daemon.ts";

export interface Answer {
  readonly status: number;
  /** Undefined when there was none. */
  readonly body: unknown;
}

/** One request to a daemon's API; `body` is sent as JSON. */
export function callApi(daemon: Daemon, method: string, path: string, body?: unknown): Promise<Answer> {
  const data = body === undefined ? undefined : JSON.stringify(body);
  const headers = data === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(data) };
  return new Promise((done, fail) => {
    const sent = request({ socketPath: daemon.host.slice("unix://".length), method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("error", fail);
      answer.on("end", () => done({ status: answer.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) }));
    });
    sent.on("error", fail);
    sent.end(data);
  });
}
