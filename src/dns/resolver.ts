import type { DnsClient, Resolver } from "./dns.ts";
import { answerLocally } from "./local-names.ts";
import { codes, readQuestion } from "./message.ts";
import { emptyReply, limitOf } from "./reply.ts";

export interface ResolverSettings {
  /** Addresses of the host's resolvers, as of now. /etc/resolv.conf names them unless given. */
  readonly hostServers?: () => Promise<readonly string[]>;
}

class BerthResolver implements Resolver {
  answer(client: DnsClient, message: Uint8Array, overTcp: boolean): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const question = readQuestion(message);
    if (question === undefined) return undefined;
    if (question.kind === "refusal") return emptyReply(question, question.code);
    return answerLocally(client, question, limitOf(question.edns, overTcp)) ?? emptyReply(question, codes.servFail);
  }

  close(): void {}
}

export function openResolver(_settings: ResolverSettings = {}): Resolver {
  return new BerthResolver();
}
