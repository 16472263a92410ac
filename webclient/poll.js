/**
 * Something that is done now and then.
 *
 * @module
 */

export class Poll {
  /** @type {() => Promise<void>} */ #work;
  /** @type {number} */ #pause;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  /** Counts the runs, so that an earlier one knows that it is over. */
  #run = 0;

  /**
   * @param {() => Promise<void>} work Must not throw.
   * @param {number} pause Milliseconds from the end of one to the next.
   */
  constructor(work, pause) {
    this.#work = work;
    this.#pause = pause;
  }

  /** Does it at once, and then again and again. */
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
