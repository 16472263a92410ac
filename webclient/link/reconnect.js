/**
 * Retries with exponential back-off, jitter and a countdown.
 *
 * @module
 */

export const BASE_DELAY = 1000;
export const MAX_DELAY = 15_000;

/**
 * @param {number} attempt 0 for the first retry.
 * @param {() => number} [random] As Math.random.
 * @returns {number} Milliseconds: 1 s, 2 s, 4 s… 15 s, each up to 20 % shorter, so that
 *   the clients of a restarted server do not all reconnect at once.
 */
export function backoffDelay(attempt, random = Math.random) {
  const full = Math.min(MAX_DELAY, BASE_DELAY * 2 ** Math.min(attempt, 10));
  return full * (1 - 0.2 * random());
}

/**
 * A retry timer.
 *
 * Events: `countdown`, a CustomEvent<number> with the seconds left, rounded up.
 */
export class Reconnector extends EventTarget {
  #attempt = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */ #timer;
  /** @type {(() => void)|null} */ #retry = null;

  /** Whether a retry is scheduled. */
  get waiting() {
    return this.#retry !== null;
  }

  /**
   * @param {() => void} retry
   * @param {number} [atLeast] Milliseconds, such as a server's Retry-After.
   */
  schedule(retry, atLeast = 0) {
    this.cancel();
    const due = performance.now() + Math.max(backoffDelay(this.#attempt), atLeast);
    this.#attempt += 1;
    this.#retry = retry;
    const tick = () => {
      const left = due - performance.now();
      if (left <= 0) this.now();
      else this.dispatchEvent(new CustomEvent('countdown', { detail: Math.ceil(left / 1000) }));
    };
    this.#timer = setInterval(tick, 200);
    tick();
  }

  /** Retries at once, if a retry is scheduled. */
  now() {
    const retry = this.#retry;
    this.cancel();
    retry?.();
  }

  cancel() {
    clearInterval(this.#timer);
    this.#retry = null;
  }

  /** Resets the back-off when the connection is established. */
  reset() {
    this.cancel();
    this.#attempt = 0;
  }
}
