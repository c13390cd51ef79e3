/** Who may do what. One implementation each for everybody, for users of a password file, and for bearers of tokens. */
import type { Route } from "./route.ts";

export type Action = "pull" | "push" | "delete";

/** What a request wants to do; nothing of it: only to know whether it would be let in. */
export type Need =
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "repository"; readonly name: string; readonly actions: readonly Action[]; readonly alsoPull?: string | undefined };

/** What was wanted, as docker-registry tells it in the `detail` of its 401. */
export function detailOf(need: Need): unknown {
  const entry = (type: string, name: string, action: string): object => ({ Type: type, Class: "", Name: name, Action: action });
  switch (need.kind) {
    case "base":
      return undefined;
    case "catalog":
      return [entry("registry", "catalog", "*")];
    case "repository":
      return [
        ...need.actions.map((action) => entry("repository", need.name, action)),
        ...(need.alsoPull === undefined ? [] : [entry("repository", need.alsoPull, "pull")]),
      ];
  }
}

export interface Grant {
  readonly user?: string;
  /** May this repository be read too (undefined: every one)? */
  mayPull(repository: string | undefined): boolean;
}

export interface Access {
  /**
   * @param authorization the request's header
   * @param remote the client's address
   * @throws UNAUTHORIZED with a challenge, DENIED, TOOMANYREQUESTS
   */
  authorize(authorization: string | undefined, remote: string, need: Need): Promise<Grant>;
  /** Reads its files again. @throws Error when they are wrong; what was known stays */
  reload(): void;
}

export const everybody: Access = {
  authorize: async () => ({ mayPull: () => true }),
  reload: () => undefined,
};

/** @param from of a mount: the repository that the blob is to come from */
export function needOf(route: Route, method: string, from: string | undefined): Need {
  if (route.kind === "base" || route.kind === "catalog") return { kind: route.kind };
  return { kind: "repository", name: route.repository, actions: actionsOf(route, method), alsoPull: from };
}

function actionsOf(route: Route, method: string): readonly Action[] {
  if (method === "GET" || method === "HEAD") return ["pull"];
  // To give up an upload is a part of pushing.
  if (method === "DELETE" && route.kind !== "upload") return ["delete"];
  return ["pull", "push"];
}
