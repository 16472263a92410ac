/**
 * Publishes a source's media over a link.
 *
 * @module
 */

import { capture } from './capture.js';
import { addTracks } from './encoding.js';
import { Link } from '../link/link.js';
import { endpointOf } from '../ui/settings.js';
import { offerSentSound } from './sound-offer.js';
import { fetchStream } from '../resources/streams-api.js';
import { WhipError } from '../client/whip-error.js';

/** @typedef {import('./capture.js').Source} Source */

/**
 * @typedef {import('./capture.js').SourceWish & import('./encoding.js').EncodingWish &
 *   {stream: string}} PublishWish
 */

/** Events: `change`, when a property has changed; and those of its `link`. */
export class Publisher extends EventTarget {
  /** Whether the browser is asking the user for media. */
  asking = false;
  /** The published source; null if there is none. @type {Source|null} */ source = null;
  /** Why there is no media, in words. @type {string} */
  problem = '';
  /** The last wish. @type {PublishWish|null} */ wish = null;
  /** @type {Link} */ link;
  /** @type {() => string} */ #token;
  /** Incremented at each start and stop, to recognize outdated results. */
  #generation = 0;

  /** @param {() => string} token Called at every request. */
  constructor(token) {
    super();
    this.#token = token;
    const target = () => ({ endpoint: endpointOf(this.wish.stream), token: token() });
    const addMedia = (pc) => addTracks(pc, this.source.media, this.wish);
    this.link = new Link(target, { addMedia, adaptOffer: offerSentSound });
    this.link.addEventListener('change', () => this.#linkChanged());
  }

  /** Whether the user wants to publish. */
  get wanted() {
    return this.asking || this.source !== null;
  }

  /**
   * Captures media and publishes it. Never throws: see `problem` and `link.problem`.
   *
   * @param {PublishWish} wish
   */
  async start(wish) {
    // Not awaited yet: browsers allow screen capture only right after a click.
    const ended = this.stop();
    const generation = this.#generation;
    this.wish = wish;
    this.asking = true;
    this.#changed();
    try {
      const source = await capture(wish);
      // Until it has ended, the old session holds the stream's name.
      await ended;
      if (generation !== this.#generation) {
        source.stop();
        return;
      }
      this.source = source;
      for (const track of source.media.getTracks()) {
        track.addEventListener('ended', () => this.#ended(track));
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = error.message;
    }
    this.asking = false;
    this.#changed();
    if (this.source) this.link.connect();
  }

  /** Ends the session, and releases the devices. */
  async stop() {
    this.#release();
    this.problem = '';
    this.#changed();
    await this.link.disconnect();
  }

  /** Does the same when the page is left, without waiting for the server. */
  leave() {
    this.#release();
    this.link.leave();
  }

  #release() {
    this.#generation += 1;
    this.asking = false;
    this.source?.stop();
    this.source = null;
  }

  /** @param {MediaStreamTrack} track The track that has ended. */
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
   * Gives up if the server has ended the session for another publisher: reconnecting
   * would end that one, which would reconnect as well.
   */
  async #giveWay(problem) {
    const generation = this.#generation;
    const taken = await fetchStream(this.wish.stream, this.#token()).catch(() => null);
    const { phase } = this.link;
    if (!taken || generation !== this.#generation || problem !== this.link.problem) return;
    if (phase !== 'waiting') return;
    const detail = `Somebody else publishes “${this.wish.stream}” now.`;
    const title = 'Another publisher has taken over';
    this.link.giveUp(new WhipError('protocol', { title, detail }));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
