/**
 * Repeats a task with pauses.
 *
 * @module
 */

export class Poll {
  /** @type {() => Promise<void>} */ #work;
  /** @type {number} */ #pause;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  /** The number of the current run, so that an earlier one does not continue. */
  #run = 0;

  /**
   * @param {() => Promise<void>} work Must not throw.
   * @param {number} pause Milliseconds from the end of one call to the next.
   */
  constructor(work, pause) {
    this.#work = work;
    this.#pause = pause;
  }

  /** Calls it at once, and then repeatedly. */
  async start() {
    this.stop();
    const run = this.#run;
    await this.#work();
    if (run === this.#run) this.#timer = setTimeout(() => this.start(), this.#pause);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#run += 1;
  }
}
