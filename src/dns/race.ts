import { askOverTcp, askOverUdp, type Exchange } from "./exchange.ts";
import { codes, type Question } from "./message.ts";
import type { Server } from "./server.ts";
import { questionFor, readAnswer, type UpstreamAnswer } from "./upstream-answer.ts";

/** When a question is given up. */
const totalMs = 5000;
const resendMs = 1200;
/** A server that has said nothing for so long, to this or any later question, is dead. */
const silenceMs = 1000;
/** Between servers after the second one. */
const furtherMs = 20;
/** How long "there is no such thing" of one server waits for those before it in the list, which may know better (split horizons). */
const heldMs = 50;

interface Attempt {
  readonly server: Server;
  readonly sentAt: number;
  readonly question: Uint8Array;
  exchange: Exchange;
  silence: NodeJS.Timeout | undefined;
  pending: boolean;
}

export interface RaceSettings {
  readonly servers: readonly Server[];
  readonly overTcp: boolean;
  /** So many questions are under way that none is to be put to several servers without need. */
  readonly crowded: () => boolean;
}

/** SERVFAIL and the like: another server may do better. */
const failing = ({ code }: UpstreamAnswer): boolean => code !== codes.noError && code !== codes.nxDomain;

/**
 * One question, put to one server after the other until one answers: in the order of the list, those that are dead last. The next
 * one is asked when the last one has failed or takes longer than usual; all go on listening.
 */
export class Race {
  readonly #question: Question;
  readonly #settings: RaceSettings;
  readonly #order: readonly Server[];
  readonly #attempts: Attempt[] = [];
  readonly #done = Promise.withResolvers<UpstreamAnswer | undefined>();
  #over = false;
  #asked = 0;
  #failing: UpstreamAnswer | undefined;
  #held: { readonly answer: UpstreamAnswer; readonly attempt: Attempt } | undefined;
  #hedge: NodeJS.Timeout | undefined;
  #hold: NodeJS.Timeout | undefined;
  readonly #resend: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;

  constructor(question: Question, settings: RaceSettings) {
    this.#question = question;
    this.#settings = settings;
    const now = performance.now();
    const { servers } = settings;
    const trials = servers.filter((server) => server.takeTrial(now));
    const living = servers.filter((server) => !server.dead);
    const dead = servers.filter((server) => server.dead && !trials.includes(server));
    this.#order = [...living, ...dead];
    this.#deadline = setTimeout(() => this.finish(this.#second), totalMs).unref();
    this.#resend = setInterval(() => this.#askAgain(), resendMs).unref();
    for (const server of trials) this.#ask(server);
    this.#askNext();
  }

  /** Undefined: nobody has answered. */
  get answer(): Promise<UpstreamAnswer | undefined> {
    return this.#done.promise;
  }

  /** What there is where nothing better comes. */
  get #second(): UpstreamAnswer | undefined {
    return this.#held?.answer ?? this.#failing;
  }

  finish(answer: UpstreamAnswer | undefined): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of [this.#hedge, this.#hold, this.#deadline]) clearTimeout(timer);
    clearInterval(this.#resend);
    for (const attempt of this.#attempts) {
      if (!attempt.pending) continue;
      if (attempt.silence === undefined || attempt.server.watched) this.#end(attempt);
      else attempt.server.watched = true;
    }
    this.#done.resolve(answer);
  }

  #askNext(): void {
    clearTimeout(this.#hedge);
    const server = this.#order[this.#asked];
    if (this.#over || server === undefined) {
      if (!this.#attempts.some(({ pending }) => pending)) this.finish(this.#second);
      return;
    }
    const wait = this.#asked === 0 ? server.patienceMs : furtherMs;
    this.#asked++;
    this.#hedge = setTimeout(() => {
      if (!this.#settings.crowded()) this.#askNext();
    }, wait).unref();
    this.#ask(server);
  }

  #askAgain(): void {
    for (const { pending, exchange } of this.#attempts) if (pending) exchange.resend();
    if (this.#asked < this.#order.length) this.#askNext();
  }

  #ask(server: Server): void {
    const question = questionFor(this.#question);
    const attempt: Attempt = {
      server,
      sentAt: performance.now(),
      question,
      pending: true,
      silence: setTimeout(() => this.#silent(attempt), silenceMs).unref(),
      exchange: askOverUdp(server.upstream, question, {
        received: (packet) => this.#received(attempt, packet),
        failed: () => this.#failed(attempt),
      }),
    };
    this.#attempts.push(attempt);
  }

  #end(attempt: Attempt): void {
    attempt.pending = false;
    clearTimeout(attempt.silence);
    attempt.silence = undefined;
    attempt.exchange.close();
  }

  #silent(attempt: Attempt): void {
    attempt.silence = undefined;
    attempt.server.silent(performance.now(), attempt.sentAt);
    if (!this.#over) return;
    attempt.server.watched = false;
    this.#end(attempt);
  }

  #failed(attempt: Attempt): void {
    attempt.server.silent(performance.now(), attempt.sentAt);
    this.#lost(attempt);
  }

  /** Nothing more is to be expected of this one. */
  #lost(attempt: Attempt): void {
    this.#end(attempt);
    if (this.#over) attempt.server.watched = false;
    else if (this.#held !== undefined && this.#isFirst(this.#held.attempt)) this.finish(this.#held.answer);
    else this.#askNext();
  }

  #received(attempt: Attempt, packet: Uint8Array): void {
    const answer = readAnswer(attempt.question, packet);
    if (answer === undefined) return;
    const now = performance.now();
    attempt.server.answered(now, now - attempt.sentAt);
    if (this.#over) {
      attempt.server.watched = false;
      this.#end(attempt);
    } else if (answer.truncated && this.#settings.overTcp) {
      this.#askOverTcp(attempt);
    } else if (failing(answer)) {
      this.#failing ??= answer;
      this.#lost(attempt);
    } else {
      this.#useful(attempt, answer);
    }
  }

  #useful(attempt: Attempt, answer: UpstreamAnswer): void {
    this.#end(attempt);
    if (!answer.negative || this.#isFirst(attempt)) {
      this.finish(answer);
      return;
    }
    this.#held ??= { answer, attempt };
    this.#hold ??= setTimeout(() => this.finish(this.#second), heldMs).unref();
  }

  /** Nobody who was asked and lives is before it in the list. */
  #isFirst(attempt: Attempt): boolean {
    const { servers } = this.#settings;
    const place = servers.indexOf(attempt.server);
    return !this.#attempts.some(({ pending, server }) => pending && !server.dead && servers.indexOf(server) < place);
  }

  #askOverTcp(attempt: Attempt): void {
    clearTimeout(attempt.silence);
    attempt.silence = undefined;
    attempt.exchange.close();
    attempt.exchange = askOverTcp(attempt.server.upstream, attempt.question, {
      received: (packet) => {
        const answer = readAnswer(attempt.question, packet);
        if (answer === undefined || answer.truncated || failing(answer)) this.#lost(attempt);
        else this.#useful(attempt, answer);
      },
      failed: () => this.#lost(attempt),
    });
  }
}
