/**
 * What happens to a stream, in words, from what is known of it again and again.
 *
 * @module
 */

import { describeViewers, formatSize } from '../media/media-words.js';

/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

/**
 * @typedef {object} Happening
 * @property {'show'|'viewers'|'picture'|'recording'} kind
 * @property {string} text
 */

/** @param {number} duration Seconds until now. @returns {string} The time of day of then. */
function timeBefore(duration) {
  const then = new Date(Date.now() - 1000 * duration);
  return then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

export class Story {
  /** @type {LiveStream|null|undefined} */ #live;
  /** @type {number|undefined} */ #viewers;
  #size = '';
  #isRecorded = false;

  /**
   * @param {LiveStream|null|undefined} live The server's description; null: it is not
   *   published; undefined: unknown, which changes nothing.
   * @param {{width?: number|null, height?: number|null}} picture What is seen of it.
   * @returns {Happening[]} What has happened since the last time.
   */
  update(live, picture) {
    if (live === undefined) return [];
    const found = [
      ...this.#show(live),
      ...this.#audience(live),
      ...this.#picture(live, picture),
      ...this.#recording(live),
    ];
    this.#live = live;
    return found;
  }

  /** @param {LiveStream|null} live @returns {Happening[]} */
  #show(live) {
    const before = this.#live;
    const say = (text) => [{ kind: 'show', text }];
    if (!live) {
      if (before) return say('The show has ended.');
      return before === null ? [] : say('The show has not begun yet.');
    }
    if (before === undefined) return say(`Live since ${timeBefore(live.duration)}.`);
    if (before === null) return say('The show begins.');
    return live.duration < before.duration ? say('The show begins again.') : [];
  }

  /** @param {LiveStream|null} live @returns {Happening[]} */
  #audience(live) {
    const { viewers } = live ?? {};
    if (viewers === undefined || viewers === this.#viewers) return [];
    this.#viewers = viewers;
    return [{ kind: 'viewers', text: describeViewers(viewers) }];
  }

  /** @returns {Happening[]} */
  #picture(live, { width, height }) {
    if (!live || !width || !height) return [];
    const size = formatSize(width, height);
    const before = this.#size;
    this.#size = size;
    if (!before || size === before) return [];
    return [{ kind: 'picture', text: `The picture is ${size} now.` }];
  }

  /** @param {LiveStream|null} live @returns {Happening[]} */
  #recording(live) {
    const isRecorded = live?.recording?.state === 'recording';
    if (isRecorded === this.#isRecorded) return [];
    this.#isRecorded = isRecorded;
    const text = isRecorded ? 'The server records the show.' : 'The recording has ended.';
    return [{ kind: 'recording', text }];
  }
}
