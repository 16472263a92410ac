/**
 * The delay of a played stream: how long it is, and how long it has to be.
 *
 * @module
 */

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */

/** The choice to which the delay follows the connection. */
export const AUTOMATIC = 'auto';

/** The share of lost packets below which a connection counts as clean. */
const CLEAN = 0.005;
/** The share of packets that may be missing after all retransmissions. */
const MISSING = 0.001;
/** Milliseconds that the server takes to send a retransmission and the copies of it. */
const COPIES = 25;
/** Milliseconds: bounds and steps of the automatic target. */
const MOST = 500;
const STEP = 10;
/** Milliseconds over which the loss is averaged. */
const AVERAGING = 5000;
/** Milliseconds for which less must do before the target falls: every change of it is
 * seen and heard. */
const PATIENCE = 15_000;

/**
 * Seconds from the server to the screen and to the ear: half a round trip, if it is known,
 * and the time in the jitter buffer.
 *
 * @param {Incoming} incoming
 * @returns {{video: number|null, audio: number|null}} Null if unknown.
 */
export function delaysOf({ video, audio, rtt }) {
  const delayOf = (wait) => (wait === null ? null : wait + (rtt ?? 0) / 2);
  return { video: delayOf(video?.wait ?? null), audio: delayOf(audio?.wait ?? null) };
}

/**
 * The time that retransmissions need to arrive.
 *
 * @param {number} loss The share of lost packets, 0 to 1.
 * @param {number} rtt Milliseconds.
 * @param {number} jitter Milliseconds.
 * @returns {number} Milliseconds, 0 to 500.
 */
export function delayFor(loss, rtt, jitter) {
  if (loss < CLEAN) return 0;
  // Each round loses the same share; what loses more than half is beyond help.
  const rounds = Math.ceil(Math.log(MISSING) / Math.log(Math.min(loss, 0.5))) - 1;
  const needed = rounds * rtt + COPIES + jitter;
  return Math.min(MOST, STEP * Math.ceil(needed / STEP));
}

/** Follows the connection: 0 on a clean one, more with loss. */
export class AutomaticDelay {
  /** The jitter buffer's target, in milliseconds. */
  target = 0;
  /** The average share of lost packets, 0 to 1. */
  loss = 0;
  /** When the last reading was taken. @type {number|null} */ #before = null;
  /** The most that was needed since the target was too high. */
  #lower = { most: 0, since: 0 };

  /**
   * @param {Incoming} incoming
   * @param {number} now Milliseconds of any clock.
   * @returns {number} `target`.
   */
  update({ video, audio, rtt }, now) {
    const losses = [video?.loss ?? null, audio?.loss ?? null].filter((loss) => loss !== null);
    // Without a packet nothing is known.
    if (!losses.length) return this.target;
    const passed = this.#before === null ? Infinity : now - this.#before;
    const weight = 1 - Math.exp(-passed / AVERAGING);
    this.#before = now;
    this.loss += weight * (Math.max(...losses) - this.loss);
    // Frames take time to send, which counts as jitter of the picture.
    const jitter = audio?.jitter ?? video?.jitter ?? 0;
    const needed = delayFor(this.loss, 1000 * (rtt ?? 0), 1000 * jitter);
    if (needed >= this.target) {
      this.target = needed;
      this.#lower = { most: 0, since: now };
      return needed;
    }
    this.#lower.most = Math.max(this.#lower.most, needed);
    if (now - this.#lower.since >= PATIENCE) {
      this.target = this.#lower.most;
      this.#lower = { most: 0, since: now };
    }
    return this.target;
  }
}
