/**
 * Keeps figures of a link over time, also while nobody looks at them.
 *
 * @module
 */

import { pairIn } from '../client/candidate-pair.js';
import { Series } from './series.js';

/** @typedef {import('../link/link.js').Link} Link */

/** Milliseconds between rows. Hidden pages may call late: the series fills the gap. */
const PERIOD = 1000;

/**
 * Events:
 * - `row`: there is a new row;
 * - `happening`: something has happened.
 */
export class SeriesRecorder extends EventTarget {
  series = new Series();
  /** @type {Link} */ #link;
  /** The id of the pair that was selected last. */ #pair = '';

  /**
   * @param {Link} link
   * @param {import('./ping.js').Pinger} pinger
   */
  constructor(link, pinger) {
    super();
    this.#link = link;
    pinger.addEventListener('echo', ({ detail }) => this.series.answered(detail.rtt));
    pinger.addEventListener('lost', () => this.series.lost());
    link.addEventListener('change', () => this.#noteState());
    this.#noteState();
    setInterval(() => this.#tick(), PERIOD);
  }

  #noteState() {
    const { phase, problem } = this.#link;
    const why = problem && phase !== 'connecting' ? `: ${problem.title}` : '';
    this.#happened(`${phase}${why}`);
  }

  /** @param {string} what */
  #happened(what) {
    this.series.happened(Date.now(), what);
    this.dispatchEvent(new Event('happening'));
  }

  async #tick() {
    const { client, established } = this.#link;
    let pair = null;
    try {
      if (established) pair = pairIn(await client.pc.getStats());
    } catch {
      // It is closed meanwhile.
    }
    if (pair && pair.id !== this.#pair) {
      this.#pair = pair.id;
      const { local, remote } = pair;
      this.#happened(`pair: ${local.type} to ${remote.type}, ${remote.protocol}`);
    }
    this.series.tick(Date.now(), pair);
    this.dispatchEvent(new Event('row'));
  }
}
