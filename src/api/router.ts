/**
 * Which handler answers a method and a path. Patterns are literal but for `{name}`, which stands for one or
 * more segments: image names have slashes in them. docs/adr/0002-own-router.md says why there is no framework.
 */
import type { Call } from "./call.ts";

export type Handler = (call: Call) => Promise<void> | void;

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Without the version prefix: `/containers/{name}/json`. */
  readonly pattern: string;
  readonly handler: Handler;
  /** The handler takes the connection: the client may ask for an upgrade, and bytes may follow the request at once. */
  readonly hijacks?: boolean;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly route: Route;
  readonly shape: RegExp;
}

export class Router {
  readonly #byFirst: Map<string, Compiled[]> = new Map();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const source = route.pattern.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>.+)");
      const key = keyOf(route.method, route.pattern);
      const list = this.#byFirst.get(key) ?? [];
      list.push({ route, shape: new RegExp(`^${source}$`) });
      this.#byFirst.set(key, list);
    }
  }

  /** @param path decoded, without version prefix and query */
  find(method: string, path: string): Match | undefined {
    for (const { route, shape } of this.#byFirst.get(keyOf(method, path)) ?? []) {
      const match = shape.exec(path);
      if (match !== null) return { route, params: match.groups ?? {} };
    }
    return undefined;
  }
}

/** Method and first segment: few routes are left to try. */
function keyOf(method: string, path: string): string {
  const slash = path.indexOf("/", 1);
  return `${method} ${slash === -1 ? path : path.slice(0, slash)}`;
}

/** What a request line asks for. */
export interface Target {
  /** `1.41`, when the path has a version. */
  readonly version: string | undefined;
  readonly path: string;
  readonly search: string;
}

/** Undefined: the path is malformed. */
export function parseTarget(url: string): Target | undefined {
  // A proxy sends the absolute form.
  const local = url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = local.indexOf("?");
  const raw = mark === -1 ? local : local.slice(0, mark);
  const version = /^\/v([0-9.]+)(?=\/)/.exec(raw);
  try {
    const path = decodeURIComponent(raw.slice(version?.[0].length ?? 0));
    return { version: version?.[1], path, search: mark === -1 ? "" : local.slice(mark + 1) };
  } catch {
    return undefined;
  }
}
