/**
 * Trickle ICE over HTTP (RFC 9725, section 4.3): which candidates still have to
 * be told to the server, and when.
 *
 * @module
 */

import { buildFragment } from './sdp-fragment.js';

/** @typedef {import('./sdp-fragment.js').OfferIce} OfferIce */
/** @typedef {import('./whip-error.js').WhipError} WhipError */

/**
 * What became of the candidates so far.
 *
 * @typedef {object} Trickled
 * @property {number} patches
 * @property {number} candidates
 * @property {boolean} complete Whether the server knows that these are all.
 * @property {WhipError|null} refused Why the server takes no more of them.
 */

/** Candidates that come this close together share a PATCH. */
const AGGREGATION_MS = 20;
/** How long `collect()` waits for a first one. */
const COLLECT_MS = 100;
const RETRY_MS = 1000;
const MAX_RETRIES = 3;

/**
 * Collects the candidates of one ICE session and sends them, one PATCH at a time.
 *
 * Until `start()` everything is buffered; the first PATCH then carries the whole
 * buffer. A PATCH that the server refuses ends the trickling and nothing else:
 * the session may work perfectly well with the candidates the server has, or by
 * learning the client's address from its connectivity checks.
 */
export class CandidateTrickle {
  /** @type {Trickled} */
  trickled = { patches: 0, candidates: 0, complete: false, refused: null };
  /** @type {string[]} */ #waiting = [];
  /** @type {((fragment: string) => Promise<void>)|null} */ #patch = null;
  /** @type {OfferIce} */ #ice;
  /** @type {() => void} */ #onChange;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  /** @type {(() => void)|null} */ #onAdded = null;
  #gathered = false;
  #finished = false;
  #sending = false;
  #retries = 0;

  /**
   * @param {OfferIce} ice Of the offer; what it already carried is not sent again.
   * @param {() => void} onChange There is news in `trickled`.
   */
  constructor(ice, onChange) {
    this.#ice = ice;
    this.#finished = ice.complete;
    this.#onChange = onChange;
  }

  /**
   * Takes what an `icecandidate` event brought; null means gathering is over.
   * Candidates of another ICE session, or of another m-section, are none of ours.
   *
   * @param {RTCIceCandidate|null} candidate
   */
  add(candidate) {
    const { mid, ufrag, candidates } = this.#ice;
    if (candidate?.candidate) {
      if ((candidate.sdpMid || mid) !== mid) return;
      if ((candidate.usernameFragment || ufrag) !== ufrag) return;
      if (candidates.includes(candidate.candidate)) return;
      this.#waiting.push(candidate.candidate);
    } else {
      // The empty candidate ends one generation, null ends the gathering: with a
      // single bundled transport they are the same moment.
      this.#gathered = true;
    }
    this.#onAdded?.();
    this.#schedule(this.#gathered ? 0 : AGGREGATION_MS);
  }

  /**
   * Takes the first candidates out, for a request that is not this module's own: as
   * soon as some have come and none follow for a moment. It has to say when they are
   * `told()`.
   *
   * @returns {Promise<{candidates: string[], complete: boolean}>} None, when none come
   *   in time.
   */
  collect() {
    return new Promise((resolve) => {
      let timer = setTimeout(() => done(), COLLECT_MS);
      const done = () => {
        clearTimeout(timer);
        this.#onAdded = null;
        resolve(this.#take());
      };
      this.#onAdded = () => {
        clearTimeout(timer);
        timer = setTimeout(done, this.#gathered ? 0 : AGGREGATION_MS);
      };
      if (this.#waiting.length || this.#gathered) this.#onAdded();
    });
  }

  /** The server has accepted candidates. */
  told({ candidates, complete }) {
    this.trickled.patches += 1;
    this.trickled.candidates += candidates.length;
    this.trickled.complete = complete;
    this.#onChange();
  }

  /**
   * Starts sending: the server knows the ICE session.
   *
   * @param {(fragment: string) => Promise<void>} patch Sends one fragment; throws a
   *   WhipError.
   */
  start(patch) {
    this.#patch = patch;
    this.#schedule(0);
  }

  /** Sends nothing any more. */
  stop() {
    this.#finished = true;
    clearTimeout(this.#timer);
  }

  #schedule(delay) {
    if (!this.#patch || this.#finished || this.#sending) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), delay);
  }

  /** What is still to be told. */
  #take() {
    const complete = this.#gathered;
    // A browser that has restarted ICE may call the gathering over too early: what
    // still comes is told all the same.
    this.#gathered = false;
    return { candidates: this.#waiting.splice(0), complete };
  }

  async #flush() {
    if (this.#finished || (!this.#waiting.length && !this.#gathered)) return;
    const latest = this.#take();
    this.#sending = true;
    try {
      await this.#patch(buildFragment(this.#ice, latest.candidates, latest.complete));
      this.#sending = false;
      // Of a response to what is over nobody wants to know.
      if (this.#finished) return;
      this.#retries = 0;
      this.told(latest);
      this.#schedule(0);
    } catch (error) {
      this.#sending = false;
      // 4xx means that asking again is useless, as is 501; what else fails may pass.
      const useless = error.isClientError || error.status === 501;
      if (this.#finished) return;
      if (useless || ++this.#retries > MAX_RETRIES) {
        this.stop();
        this.trickled.refused = error;
        this.#onChange();
      } else {
        this.#waiting.unshift(...latest.candidates);
        this.#gathered ||= latest.complete;
        this.#schedule(RETRY_MS * this.#retries);
      }
    }
  }
}
