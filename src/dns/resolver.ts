import type { DnsClient, Resolver } from "./dns.ts";
import { Forwarder } from "./forwarder.ts";
import { answerLocally } from "./local-names.ts";
import { codes, type Question, readQuestion } from "./message.ts";
import { emptyReply, limitOf } from "./reply.ts";
import { hostServersFile } from "./resolv-conf.ts";

export interface ResolverSettings {
  /** Addresses of the host's resolvers, as of now. /etc/resolv.conf names them unless given. */
  readonly hostServers?: () => Promise<readonly string[]>;
}

class BerthResolver implements Resolver {
  readonly #forwarder = new Forwarder();
  readonly #hostServers: () => Promise<readonly string[]>;

  constructor({ hostServers = hostServersFile() }: ResolverSettings) {
    this.#hostServers = hostServers;
  }

  answer(client: DnsClient, message: Uint8Array, overTcp: boolean): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const question = readQuestion(message);
    if (question === undefined) return undefined;
    if (question.kind === "refusal") return emptyReply(question, question.code);
    const known = answerLocally(client, question, limitOf(question.edns, overTcp));
    if (known !== undefined) return known;
    const { upstreams } = client;
    if (upstreams === "host") return this.#askHost(client, question, overTcp);
    return upstreams.length === 0 ? emptyReply(question, codes.servFail) : this.#forwarder.forward(client, upstreams, question, overTcp);
  }

  async #askHost(client: DnsClient, question: Question, overTcp: boolean): Promise<Uint8Array> {
    const servers = await this.#hostServers();
    return this.#forwarder.forward(
      client,
      servers.map((address) => ({ address })),
      question,
      overTcp,
    );
  }

  close(): void {
    this.#forwarder.close();
  }
}

export function openResolver(settings: ResolverSettings = {}): Resolver {
  return new BerthResolver(settings);
}
