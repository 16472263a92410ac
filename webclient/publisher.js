/**
 * Publishing: a source's media over a link, for as long as somebody wants it.
 *
 * @module
 */

import { capture } from './capture.js';
import { addTracks } from './encoding.js';
import { Link } from './link.js';
import { endpointOf } from './settings.js';
import { fetchStream } from './streams-api.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./capture.js').Source} Source */

/**
 * @typedef {import('./capture.js').SourceWish & import('./encoding.js').EncodingWish &
 *   {stream: string}} PublishWish
 */

/** Events: `change`, of any property here; and those of its `link`. */
export class Publisher extends EventTarget {
  /** Whether the browser is being asked for media. */
  asking = false;
  /** What is published; null while nothing is. @type {Source|null} */ source = null;
  /** Why there is no media any more, or was none, in words. @type {string} */
  problem = '';
  /** What was asked for last. @type {PublishWish|null} */ wish = null;
  /** @type {Link} */ link;
  /** @type {() => string} */ #token;
  /** Counts the starts and stops, so that what comes late is known to be late. */
  #turn = 0;

  /** @param {() => string} token Asked at every request. */
  constructor(token) {
    super();
    this.#token = token;
    const target = () => ({ endpoint: endpointOf(this.wish.stream), token: token() });
    const addMedia = (pc) => addTracks(pc, this.source.media, this.wish);
    this.link = new Link(target, { addMedia });
    this.link.addEventListener('change', () => this.#linkChanged());
  }

  /** Whether somebody wants it to publish. */
  get wanted() {
    return this.asking || this.source !== null;
  }

  /**
   * Gets the media, and publishes it. Never throws: see `problem` and `link.problem`.
   *
   * @param {PublishWish} wish
   */
  async start(wish) {
    // Not waited for yet: browsers give the screen only right after a press of a button.
    const ended = this.stop();
    const turn = this.#turn;
    this.wish = wish;
    this.asking = true;
    this.#changed();
    try {
      const source = await capture(wish);
      // What is not ended yet still has the name.
      await ended;
      if (turn !== this.#turn) {
        source.stop();
        return;
      }
      this.source = source;
      for (const track of source.media.getTracks()) {
        track.addEventListener('ended', () => this.#ended(track));
      }
    } catch (error) {
      if (turn !== this.#turn) return;
      this.problem = error.message;
    }
    this.asking = false;
    this.#changed();
    if (this.source) this.link.connect();
  }

  /** Ends the session, and gives the devices back. */
  async stop() {
    this.#release();
    this.problem = '';
    this.#changed();
    await this.link.disconnect();
  }

  /** The page goes away: the same, without waiting for the server. */
  leave() {
    this.#release();
    this.link.leave();
  }

  #release() {
    this.#turn += 1;
    this.asking = false;
    this.source?.stop();
    this.source = null;
  }

  /** @param {MediaStreamTrack} track It gives nothing any more, and never will again. */
  async #ended(track) {
    if (!this.source?.media.getTracks().includes(track)) return;
    const what = track.kind === 'video' ? 'picture' : 'sound';
    await this.stop();
    this.problem =
      this.wish.source === 'screen'
        ? 'Sharing the screen was ended.'
        : `The ${what} has ended: the device is gone, or was taken away from the page.`;
    this.#changed();
  }

  #linkChanged() {
    const { phase, problem } = this.link;
    if (phase === 'stopped' && this.source) {
      this.#release();
      this.#changed();
    } else if (phase === 'waiting' && problem.kind === 'ended') {
      this.#giveWay(problem);
    }
  }

  /**
   * The server has ended the session. When that was for another publisher, coming back
   * would drive that one out, which would come back as well.
   */
  async #giveWay(problem) {
    const turn = this.#turn;
    const taken = await fetchStream(this.wish.stream, this.#token()).catch(() => null);
    const { phase } = this.link;
    if (!taken || turn !== this.#turn || problem !== this.link.problem) return;
    if (phase !== 'waiting') return;
    const detail = `Somebody else publishes “${this.wish.stream}” now.`;
    const title = 'Another publisher has taken over';
    this.link.giveUp(new WhipError('protocol', { title, detail }));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
