/**
 * Trickle ICE over HTTP (RFC 9725, section 4.3): which candidates still have to
 * be told to the server, and when.
 *
 * @module
 */

import { buildFragment } from './sdp-fragment.js';

/** @typedef {import('./sdp-fragment.js').OfferIce} OfferIce */
/** @typedef {import('./whip-error.js').WhipError} WhipError */

/** Candidates that come this close together share a PATCH. */
const AGGREGATION_MS = 20;
const RETRY_MS = 1000;
const MAX_RETRIES = 3;

/**
 * Collects candidates and sends them, one PATCH at a time.
 *
 * Until `start()` everything is buffered; the first PATCH then carries the whole
 * buffer. A PATCH that the server refuses ends the trickling and nothing else:
 * the session may work perfectly well with the candidates the server has, or by
 * learning the client's address from its connectivity checks.
 */
export class CandidateTrickle {
  /** @type {string[]} */ #waiting = [];
  /** @type {((fragment: string) => Promise<void>)|null} */ #patch = null;
  /** @type {OfferIce|null} */ #ice = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  #gathered = false;
  #finished = false;
  #sending = false;
  #retries = 0;

  /**
   * @param {object} callbacks
   * @param {(candidates: number, complete: boolean) => void} [callbacks.onAccepted]
   * @param {(error: WhipError) => void} [callbacks.onRefused] Trickling has ended.
   */
  constructor({ onAccepted, onRefused } = {}) {
    this.onAccepted = onAccepted;
    this.onRefused = onRefused;
  }

  /**
   * Takes what an `icecandidate` event brought; null means gathering is over.
   *
   * @param {RTCIceCandidate|null} candidate
   */
  add(candidate) {
    if (candidate?.candidate) {
      if (this.#ice && candidate.sdpMid && candidate.sdpMid !== this.#ice.mid) return;
      this.#waiting.push(candidate.candidate);
    } else {
      // The empty candidate ends one generation, null ends the gathering: with a
      // single bundled transport they are the same moment.
      this.#gathered = true;
    }
    this.#schedule(this.#gathered ? 0 : AGGREGATION_MS);
  }

  /**
   * Starts sending: the 201 is here.
   *
   * @param {OfferIce} ice Of the offer that was posted; what it already carried is
   *   not sent again.
   * @param {(fragment: string) => Promise<void>} patch Sends one fragment; throws a
   *   WhipError.
   */
  start(ice, patch) {
    const posted = new Set(ice.candidates);
    this.#waiting = this.#waiting.filter((candidate) => !posted.has(candidate));
    this.#ice = ice;
    this.#patch = patch;
    if (ice.complete) this.#finished = true;
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

  async #flush() {
    if (this.#finished || (!this.#waiting.length && !this.#gathered)) return;
    const candidates = this.#waiting.splice(0);
    const complete = this.#gathered;
    this.#sending = true;
    try {
      await this.#patch(buildFragment(this.#ice, candidates, complete));
      this.#sending = false;
      this.#retries = 0;
      if (complete) this.stop();
      this.onAccepted?.(candidates.length, complete);
      this.#schedule(0);
    } catch (error) {
      this.#sending = false;
      // 4xx means that asking again is useless, as is 501; what else fails may pass.
      const useless = error.isClientError || error.status === 501;
      if (this.#finished) return;
      if (useless || ++this.#retries > MAX_RETRIES) {
        this.stop();
        this.onRefused?.(error);
      } else {
        this.#waiting.unshift(...candidates);
        this.#schedule(RETRY_MS * this.#retries);
      }
    }
  }
}
