/**
 * Statistics of round-trip times. Pure: no clock, no DOM.
 *
 * @module
 */

/**
 * One ping: its RTT in milliseconds, or null when it was lost or late.
 *
 * @typedef {object} Sample
 * @property {number} sequence
 * @property {number|null} rtt
 * @property {number} [late] The RTT of one that came after its time.
 */

/**
 * @typedef {object} RttSummary
 * @property {number} answered Pings answered since the last reset.
 * @property {number} lost Pings lost since the last reset, without those that came late.
 * @property {number} late Pings that came late since the last reset. They count in none of
 *   the following.
 * @property {number|null} last The last RTT, in ms as all that follow.
 * @property {number|null} min
 * @property {number|null} average
 * @property {number|null} p95 95 % of the pings were at least this fast.
 * @property {number|null} max
 */

/**
 * The q-quantile by nearest rank: the smallest value such that at least this fraction of
 * the values does not exceed it. It is one of the values, so it is visible in the graph.
 *
 * @param {number[]} sorted In ascending order.
 * @param {number} q Between 0 and 1.
 * @returns {number|null} Null if there are no values.
 */
export function quantile(sorted, q) {
  if (!sorted.length) return null;
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/**
 * @param {number} value
 * @param {number[]} sorted In ascending order.
 * @returns {number} The number of values that are not greater.
 */
function rankOf(value, sorted) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Collects pings. The figures cover all pings since the last reset; samples are kept only
 * for the graph.
 */
export class RttStatistics {
  /** By sequence number. @type {Sample[]} */ #samples = [];
  /**
   * All RTTs since the last reset, in ascending order. Eight bytes each: a day at ten per
   * second takes 7 MB.
   *
   * @type {number[]}
   */
  #rtts = [];
  #sum = 0;
  #lost = 0;
  #late = 0;
  /** @type {number|null} */ #last = null;

  /** @param {number} [capacity] The number of samples to keep. */
  constructor(capacity = 1000) {
    this.capacity = capacity;
  }

  /**
   * @param {number} sequence In any order: a ping may be found lost after later ones were
   *   answered.
   * @param {number|null} rtt Null for a lost ping.
   */
  add(sequence, rtt) {
    let place = this.#samples.length;
    while (place > 0 && this.#samples[place - 1].sequence > sequence) place -= 1;
    this.#samples.splice(place, 0, { sequence, rtt });
    if (this.#samples.length > this.capacity) this.#samples.shift();
    if (rtt === null) {
      this.#lost += 1;
    } else {
      this.#rtts.splice(rankOf(rtt, this.#rtts), 0, rtt);
      this.#sum += rtt;
      this.#last = rtt;
    }
  }

  /**
   * Counts a lost ping as late.
   *
   * @param {number} sequence
   * @param {number} rtt
   */
  addLate(sequence, rtt) {
    const sample = this.#samples.findLast((each) => each.sequence === sequence);
    // It may be from before the last reset.
    if (sample?.rtt !== null || sample.late !== undefined) return;
    sample.late = rtt;
    this.#lost -= 1;
    this.#late += 1;
  }

  reset() {
    this.#samples = [];
    this.#rtts = [];
    this.#sum = 0;
    this.#lost = 0;
    this.#late = 0;
    this.#last = null;
  }

  /**
   * @param {number} count
   * @returns {Sample[]} The samples with the highest numbers, in ascending order.
   */
  recent(count) {
    return this.#samples.slice(-count);
  }

  /** @returns {RttSummary} */
  summary() {
    const rtts = this.#rtts;
    return {
      answered: rtts.length,
      lost: this.#lost,
      late: this.#late,
      last: this.#last,
      min: rtts[0] ?? null,
      average: rtts.length ? this.#sum / rtts.length : null,
      p95: quantile(rtts, 0.95),
      max: rtts.at(-1) ?? null,
    };
  }
}

/**
 * Browsers round their clock to 0.1 ms, unless the page is cross-origin isolated: more
 * digits would be meaningless.
 */
const FINE_CLOCK = globalThis.crossOriginIsolated === true;

/**
 * Formats a duration.
 *
 * @param {number|null} ms
 * @param {boolean} [fine] Whether the clock is exact to hundredths.
 * @returns {string} With its unit after a space; an en dash for null.
 */
export function formatMs(ms, fine = FINE_CLOCK) {
  if (ms === null) return '–';
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`;
  const digits = ms >= 100 ? 0 : ms >= 10 || !fine ? 1 : 2;
  return `${ms.toFixed(digits)} ms`;
}
