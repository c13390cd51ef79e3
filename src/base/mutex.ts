/** Lets one at a time in, in order of asking. */
export class Mutex {
  #tail: Promise<unknown> | undefined;

  /** Runs `work` when all that asked before have ended; answers as it does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail === undefined ? work() : this.#tail.then(work);
    // The next one waits for the end, however it comes; its failure is this caller's alone.
    const tail: Promise<unknown> = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#tail = tail;
    // An idle lock holds on to nothing, and the next caller need not wait a tick.
    void tail.then(() => {
      if (this.#tail === tail) this.#tail = undefined;
    });
    return turn;
  }
}
