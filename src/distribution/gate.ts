/** Lets so many in at a time. Who waits comes in by turns of the keys: a pull of a hundred layers does not keep out one of two. */
export class Gate {
  #limit: number;
  #inside = 0;
  readonly #waiting = new Map<unknown, (() => void)[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** More come in at once; with fewer, those inside stay. */
  set limit(limit: number) {
    this.#limit = limit;
    this.#admit();
  }

  get isFull(): boolean {
    return this.#inside >= this.#limit;
  }

  /** Nobody is inside, nobody waits. */
  get isEmpty(): boolean {
    return this.#inside === 0 && this.#waiting.size === 0;
  }

  /** @returns what lets the next one in. @throws the signal's reason */
  async enter(key: unknown, signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.isFull) await this.#wait(key, signal);
    else this.#inside += 1;
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        this.#inside -= 1;
        this.#admit();
      },
    };
  }

  #wait(key: unknown, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(key) ?? [];
      const onAbort = (): void => {
        const at = queue.indexOf(admitted);
        if (at >= 0) queue.splice(at, 1);
        if (queue.length === 0 && this.#waiting.get(key) === queue) this.#waiting.delete(key);
        reject(signal?.reason);
      };
      const admitted = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      queue.push(admitted);
      this.#waiting.set(key, queue);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #admit(): void {
    for (const [key, queue] of this.#waiting) {
      if (this.isFull) return;
      const next = queue.shift();
      // To the end of the round.
      this.#waiting.delete(key);
      if (queue.length > 0) this.#waiting.set(key, queue);
      if (next === undefined) continue;
      this.#inside += 1;
      next();
    }
  }
}

/** A gate for each registry, all of one limit: what one of them holds up is no other's business. */
export class Gates {
  readonly #gates = new Map<string, Gate>();
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    for (const gate of this.#gates.values()) gate.limit = limit;
  }

  of(registry: string): Gate {
    let gate = this.#gates.get(registry);
    if (gate !== undefined) return gate;
    for (const [name, other] of this.#gates) if (other.isEmpty) this.#gates.delete(name);
    gate = new Gate(this.#limit);
    this.#gates.set(registry, gate);
    return gate;
  }
}
