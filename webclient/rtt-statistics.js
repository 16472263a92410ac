/**
 * Statistics of round-trip times. Pure: no clock, no DOM.
 *
 * @module
 */

/**
 * One ping: its RTT in milliseconds, or null when it was lost.
 *
 * @typedef {object} Sample
 * @property {number} sequence
 * @property {number|null} rtt
 */

/**
 * @typedef {object} RttSummary
 * @property {number} answered Pings answered since the last reset.
 * @property {number} lost Pings lost since the last reset.
 * @property {number|null} last The latest RTT, in ms like all that follow.
 * @property {number|null} min
 * @property {number|null} average
 * @property {number|null} p95 95 % of the pings were at least this fast.
 * @property {number|null} max
 */

/**
 * The q-th quantile by nearest rank: the smallest value that at least that share of
 * the values does not exceed. Always one of the values, so it can be found in the
 * graph.
 *
 * @param {number[]} sorted In ascending order.
 * @param {number} q Between 0 and 1.
 * @returns {number|null} Null when there are no values.
 */
export function quantile(sorted, q) {
  if (!sorted.length) return null;
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/** Collects pings. Keeps the latest `capacity` of them; counts all. */
export class RttStatistics {
  /** @type {Sample[]} */ #samples = [];
  #answered = 0;
  #lost = 0;
  /** @type {number|null} */ #last = null;

  /** @param {number} [capacity] How many samples min to max are computed over. */
  constructor(capacity = 1000) {
    this.capacity = capacity;
  }

  /**
   * @param {number} sequence
   * @param {number|null} rtt Null for a lost ping.
   */
  add(sequence, rtt) {
    this.#samples.push({ sequence, rtt });
    if (this.#samples.length > this.capacity) this.#samples.shift();
    if (rtt === null) {
      this.#lost += 1;
    } else {
      this.#answered += 1;
      this.#last = rtt;
    }
  }

  reset() {
    this.#samples = [];
    this.#answered = 0;
    this.#lost = 0;
    this.#last = null;
  }

  /**
   * @param {number} count
   * @returns {Sample[]} The latest ones, oldest first.
   */
  recent(count) {
    return this.#samples.slice(-count);
  }

  /** @returns {RttSummary} */
  summary() {
    const rtts = this.#samples.flatMap(({ rtt }) => (rtt === null ? [] : [rtt]));
    rtts.sort((a, b) => a - b);
    const sum = rtts.reduce((total, rtt) => total + rtt, 0);
    return {
      answered: this.#answered,
      lost: this.#lost,
      last: this.#last,
      min: rtts[0] ?? null,
      average: rtts.length ? sum / rtts.length : null,
      p95: quantile(rtts, 0.95),
      max: rtts.at(-1) ?? null,
    };
  }
}

/**
 * Browsers round their clock to 0.1 ms, unless the page is cross-origin isolated:
 * digits beyond that would be made up.
 */
const FINE_CLOCK = globalThis.crossOriginIsolated === true;

/**
 * A duration as people read it.
 *
 * @param {number|null} ms
 * @param {boolean} [fine] Whether the clock is good for hundredths.
 * @returns {string} With its unit; an en dash for null.
 */
export function formatMs(ms, fine = FINE_CLOCK) {
  if (ms === null) return '–';
  const digits = ms >= 100 ? 0 : ms >= 10 || !fine ? 1 : 2;
  return `${ms.toFixed(digits)} ms`;
}
