/**
 * Figures of a connection over time: one row a second for the last hour, and what has
 * happened meanwhile. Pure: no clock, no DOM.
 *
 * @module
 */

/**
 * One second.
 *
 * @typedef {object} Row
 * @property {number} time Milliseconds since the epoch, at its end.
 * @property {number|null} rtt The average of its pings, in milliseconds; null without one.
 * @property {number|null} iceRtt Of ICE's own checks.
 * @property {number} answered Pings answered.
 * @property {number} lost Pings found lost.
 * @property {number|null} jitter How much round-trip times differ from one ping to the
 *   next, smoothed as in RFC 3550, section 6.4.1; in milliseconds.
 * @property {number|null} up Sent by this browser, in bit/s: payload of UDP or TCP.
 * @property {number|null} down Received.
 */

/**
 * @typedef {object} Happening
 * @property {number} time Milliseconds since the epoch.
 * @property {string} what
 */

/** Rows kept: an hour. */
export const CAPACITY = 3600;
/** Happenings kept. */
export const MOST_HAPPENINGS = 500;

const SECOND = 1000;
const NO_FIGURES = {
  rtt: null,
  iceRtt: null,
  answered: 0,
  lost: 0,
  jitter: null,
  up: null,
  down: null,
};

export class Series {
  /** Oldest first. @type {Row[]} */ #rows = [];
  /** @type {Happening[]} */ #happenings = [];
  #sum = 0;
  #answered = 0;
  #lost = 0;
  /** @type {number|null} */ #lastRtt = null;
  /** @type {number|null} */ #jitter = null;
  /** @type {{id: string, sent: number, received: number, time: number}|null} */
  #before = null;

  /** @param {number} capacity Rows to keep. */
  constructor(capacity = CAPACITY) {
    this.capacity = capacity;
  }

  get happenings() {
    return this.#happenings;
  }

  /** @param {number} rtt Milliseconds, of a ping that was answered. */
  answered(rtt) {
    this.#answered += 1;
    this.#sum += rtt;
    if (this.#lastRtt !== null) {
      const difference = Math.abs(rtt - this.#lastRtt);
      const jitter = this.#jitter ?? 0;
      this.#jitter = jitter + (difference - jitter) / 16;
    }
    this.#lastRtt = rtt;
  }

  lost() {
    this.#lost += 1;
  }

  /** @param {number} time @param {string} what */
  happened(time, what) {
    if (this.#happenings.at(-1)?.what === what) return;
    this.#happenings.push({ time, what });
    if (this.#happenings.length > MOST_HAPPENINGS) this.#happenings.shift();
  }

  /**
   * Ends a second. Seconds that were left out before it, as while the device slept, have
   * rows without figures.
   *
   * @param {number} time Milliseconds since the epoch.
   * @param {import('../client/candidate-pair.js').SelectedPair|null} pair Null without a
   *   connection.
   */
  tick(time, pair) {
    const { up, down } = this.#rates(time, pair);
    const last = this.#rows.at(-1)?.time ?? time;
    const missed = Math.min(this.capacity, Math.floor((time - last) / SECOND) - 1);
    for (let left = missed; left > 0; left -= 1) {
      this.#add({ ...NO_FIGURES, time: time - SECOND * left });
    }
    this.#add({
      time,
      rtt: this.#answered ? this.#sum / this.#answered : null,
      iceRtt: pair?.rtt ?? null,
      answered: this.#answered,
      lost: this.#lost,
      jitter: this.#answered ? this.#jitter : null,
      up,
      down,
    });
    this.#sum = 0;
    this.#answered = 0;
    this.#lost = 0;
  }

  /** @param {Row} row */
  #add(row) {
    this.#rows.push(row);
    if (this.#rows.length > this.capacity) this.#rows.shift();
  }

  /**
   * @param {number} seconds
   * @returns {Row[]} Those of the last seconds, oldest first.
   */
  recent(seconds) {
    const from = (this.#rows.at(-1)?.time ?? 0) - 1000 * seconds;
    return this.#rows.filter(({ time }) => time > from);
  }

  /** All of it, for a file. */
  toJSON() {
    const iso = (time) => new Date(time).toISOString();
    return {
      units: { rtt: 'ms', iceRtt: 'ms', jitter: 'ms', up: 'bit/s', down: 'bit/s' },
      rows: this.#rows.map((row) => ({ ...row, time: iso(row.time) })),
      happenings: this.#happenings.map(({ time, what }) => ({ time: iso(time), what })),
    };
  }

  /** Bitrates since the last second; unknown after a change of the pair. */
  #rates(time, pair) {
    const before = this.#before;
    this.#before = pair && {
      id: pair.id,
      sent: pair.bytesSent,
      received: pair.bytesReceived,
      time,
    };
    if (!pair || before?.id !== pair.id || time <= before.time) return { up: null, down: null };
    const seconds = (time - before.time) / 1000;
    return {
      up: Math.max(0, 8 * (pair.bytesSent - before.sent)) / seconds,
      down: Math.max(0, 8 * (pair.bytesReceived - before.received)) / seconds,
    };
  }
}
