import { type IncomingHttpHeaders, request } from "node:http";
import type { Daemon } from "./daemon.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The whole body, byte by byte as characters. */
  readonly text: string;
  /** The body where it is JSON. */
  readonly body: unknown;
}

/** One request on a daemon's socket, its body as JSON, and the answer to its end. */
export function ask(daemon: Daemon, method: string, path: string, sent?: unknown): Promise<Answer> {
  const data = sent === undefined ? undefined : JSON.stringify(sent);
  const headers = data === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(data) };
  return new Promise((done, fail) => {
    const asked = request({ socketPath: daemon.host.slice("unix://".length), method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("latin1");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("error", fail);
      answer.on("end", () => {
        const isJson = answer.headers["content-type"] === "application/json" && text !== "";
        done({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          body: isJson ? JSON.parse(Buffer.from(text, "latin1").toString()) : undefined,
        });
      });
    });
    asked.on("error", fail);
    asked.end(data);
  });
}
