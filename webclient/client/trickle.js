/**
 * Trickle ICE over HTTP (RFC 9725, section 4.3): sends candidates to the server.
 *
 * @module
 */

import { buildFragment } from './sdp-fragment.js';

/** @typedef {import('./sdp-fragment.js').OfferIce} OfferIce */
/** @typedef {import('./whip-error.js').WhipError} WhipError */

/**
 * The result of the trickling so far.
 *
 * @typedef {object} Trickled
 * @property {number} patches
 * @property {number} candidates
 * @property {boolean} complete Whether the end of candidates was sent.
 * @property {WhipError|null} refused Why the server accepts no more of them.
 */

/** Candidates within this time share a PATCH. */
const AGGREGATION_MS = 20;
/** How long `collect()` waits for a first candidate. */
const COLLECT_MS = 100;
const RETRY_MS = 1000;
const MAX_RETRIES = 3;

/**
 * Collects the candidates of one ICE session and sends them, one PATCH at a time.
 *
 * Until `start()` all candidates are buffered; the first PATCH sends the whole buffer. If
 * the server refuses a PATCH, only the trickling ends: the session may work with the
 * candidates that the server has, or with the address of the client's checks.
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
   * @param {OfferIce} ice The ICE parameters of the offer; its candidates are not sent.
   * @param {() => void} onChange Called when `trickled` has changed.
   */
  constructor(ice, onChange) {
    this.#ice = ice;
    this.#finished = ice.complete;
    this.#onChange = onChange;
  }

  /**
   * Adds the candidate of an `icecandidate` event; null means the end of gathering.
   * Candidates of another ICE session or m-section are ignored.
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
      // The empty candidate ends one ICE session, null ends the gathering: with a single
      // bundled transport they mean the same.
      this.#gathered = true;
    }
    this.#onAdded?.();
    this.#schedule(this.#gathered ? 0 : AGGREGATION_MS);
  }

  /**
   * Removes the first candidates from the buffer, for a request of another module: as
   * soon as there are some and none follow for a moment. The caller then calls `told()`.
   *
   * @returns {Promise<{candidates: string[], complete: boolean}>} None if none are
   *   gathered in time.
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

  /** Notes that the server has accepted candidates. */
  told({ candidates, complete }) {
    this.trickled.patches += 1;
    this.trickled.candidates += candidates.length;
    this.trickled.complete = complete;
    this.#onChange();
  }

  /**
   * Starts sending, when the server knows the ICE session.
   *
   * @param {(fragment: string) => Promise<void>} patch Sends one fragment; throws a
   *   WhipError.
   */
  start(patch) {
    this.#patch = patch;
    this.#schedule(0);
  }

  /** Stops sending. */
  stop() {
    this.#finished = true;
    clearTimeout(this.#timer);
  }

  #schedule(delay) {
    if (!this.#patch || this.#finished || this.#sending) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), delay);
  }

  /** Removes the candidates from the buffer. */
  #take() {
    const complete = this.#gathered;
    // After an ICE restart a browser may report the end of gathering too early: later
    // candidates are sent too.
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
      // The trickling was stopped meanwhile.
      if (this.#finished) return;
      this.#retries = 0;
      this.told(latest);
      this.#schedule(0);
    } catch (error) {
      this.#sending = false;
      // A retry is useless after 4xx and 501; other failures may be temporary.
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
