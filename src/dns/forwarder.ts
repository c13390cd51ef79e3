import { isIP } from "node:net";
import { AnswerCache } from "./answer-cache.ts";
import type { DnsClient, Upstream } from "./dns.ts";
import { codes, type Question, word } from "./message.ts";
import { Race } from "./race.ts";
import { emptyReply, limitOf } from "./reply.ts";
import { Server } from "./server.ts";
import { answerFor, passedFlags, type UpstreamAnswer } from "./upstream-answer.ts";

/** Questions under way, of one client and of all. What is beyond is SERVFAIL at once. */
const mostOfClient = 256;
const mostOfAll = 1024;
/** From so many on, a question is put to a second server only when the first has failed. */
const crowd = 256;
/** Servers that are remembered. */
const mostServers = 1024;

const keyOf = ({ address, port = 53 }: Upstream): string => `${address}#${port}`;

/** Questions that are for others, and what others have answered. */
export class Forwarder {
  readonly #servers = new Map<string, Server>();
  readonly #cache = new AnswerCache();
  /** The same question of several askers is put once. */
  readonly #races = new Map<string, Race>();
  readonly #waiting = new Map<string, number>();
  #waitingOfAll = 0;
  #closed = false;

  forward(client: DnsClient, upstreams: readonly Upstream[], question: Question, overTcp: boolean): Uint8Array | Promise<Uint8Array> {
    const limit = limitOf(question.edns, overTcp);
    const key = `${upstreams.map(keyOf).join()} ${question.type} ${askedWith(question)} ${question.name}`;
    const known = this.#cache.find(key, performance.now());
    if (known !== undefined) return fitted(question, known.answer, known.ageSeconds, limit);
    const ofClient = this.#waiting.get(client.id) ?? 0;
    if (this.#closed || upstreams.length === 0 || ofClient >= mostOfClient || this.#waitingOfAll >= mostOfAll) {
      return emptyReply(question, codes.servFail);
    }
    return this.#wait(client, this.#race(key, upstreams, question, overTcp), question, limit);
  }

  async #wait(client: DnsClient, race: Race, question: Question, limit: number): Promise<Uint8Array> {
    this.#waiting.set(client.id, (this.#waiting.get(client.id) ?? 0) + 1);
    this.#waitingOfAll++;
    const answer = await race.answer;
    this.#waitingOfAll--;
    const left = (this.#waiting.get(client.id) ?? 1) - 1;
    if (left > 0) this.#waiting.set(client.id, left);
    else this.#waiting.delete(client.id);
    return answer === undefined ? emptyReply(question, codes.servFail) : fitted(question, answer, 0, limit);
  }

  #race(key: string, upstreams: readonly Upstream[], question: Question, overTcp: boolean): Race {
    const raceKey = `${key} ${overTcp}`;
    const running = this.#races.get(raceKey);
    if (running !== undefined) return running;
    const addressed = upstreams.filter(({ address }) => isIP(address) !== 0);
    const servers = [...new Set(addressed.map((upstream) => this.#server(upstream)))];
    const race = new Race(question, { servers, overTcp, crowded: () => this.#races.size >= crowd });
    this.#races.set(raceKey, race);
    void race.answer.then((answer) => {
      this.#races.delete(raceKey);
      if (answer !== undefined && !this.#closed) this.#cache.put(key, answer, performance.now());
    });
    return race;
  }

  #server(upstream: Upstream): Server {
    const key = keyOf(upstream);
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#servers.keys();
    if (this.#servers.size >= mostServers && oldest !== undefined) this.#servers.delete(oldest);
    const server = new Server(upstream);
    this.#servers.set(key, server);
    return server;
  }

  close(): void {
    this.#closed = true;
    for (const race of this.#races.values()) race.finish(undefined);
    this.#cache.clear();
  }
}

/** What of the question beside its name and type changes the answer. */
function askedWith({ message, edns }: Question): string {
  return `${word(message, 2) & passedFlags}${edns === undefined ? "" : edns.dnssecOk ? "d" : "e"}`;
}

/** An error without the question is told with it; what is too long is left out, so that the asker comes over TCP. */
function fitted(question: Question, answer: UpstreamAnswer, ageSeconds: number, limit: number): Uint8Array {
  if (word(answer.message, 4) === 0) return emptyReply(question, answer.code);
  return answerFor(question, answer, ageSeconds, limit) ?? emptyReply(question, answer.code, true);
}
