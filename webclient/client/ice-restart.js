/**
 * ICE restarts (RFC 9725, section 4.3.3): new credentials and a new path; DTLS, tracks
 * and data channels continue.
 *
 * @module
 */

import { pairIds } from './candidate-pair.js';
import { unlessAborted, untilPair } from './peer-connection.js';
import { buildFragment, readFragment, readOfferIce, replaceIce } from './sdp-fragment.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./sdp-fragment.js').OfferIce} OfferIce */
/** @typedef {import('./trickle.js').CandidateTrickle} CandidateTrickle */
/** @typedef {import('./whip-session.js').WhipSession} WhipSession */

/** Milliseconds that finding the new path may take. */
const PATH_LIMIT = 8000;

/**
 * The times of a restart, in milliseconds from its beginning.
 *
 * @typedef {object} RestartTimes
 * @property {number} answered The server's response was received.
 * @property {number} found A new path was selected.
 */

/** One restart. */
export class IceRestart {
  /** @type {RTCPeerConnection} */ #pc;
  /** @type {WhipSession} */ #session;
  /** @type {string} */ #answer;
  /** @type {(sdp: string) => string} */ #adaptOffer;
  /** @type {(local: OfferIce) => CandidateTrickle} */ #newTrickle;
  /** @type {CandidateTrickle|null} */ #trickle = null;
  #stopped = new AbortController();

  /**
   * @param {RTCPeerConnection} pc A connection that is or was established.
   * @param {WhipSession} session
   * @param {string} answer The server's answer; only its ICE attributes are replaced.
   * @param {object} hooks
   * @param {(sdp: string) => string} hooks.adaptOffer Changes the browser's offer, as
   *   that of the session was changed.
   * @param {(local: OfferIce) => CandidateTrickle} hooks.newTrickle Makes the trickle
   *   that gets the browser's candidates from now on.
   */
  constructor(pc, session, answer, { adaptOffer, newTrickle }) {
    this.#pc = pc;
    this.#session = session;
    this.#answer = answer;
    this.#adaptOffer = adaptOffer;
    this.#newTrickle = newTrickle;
  }

  /**
   * Stops the restart: `run()` throws, a pending response is ignored, and no more
   * candidates are sent. Nothing is undone.
   *
   * @param {WhipError} reason
   */
  stop(reason) {
    this.#stopped.abort(reason);
    this.#trickle?.stop();
  }

  /**
   * @returns {Promise<RestartTimes>} Resolves when the new path is selected.
   * @throws {WhipError} If the server has refused, the old ICE session continues. Of
   *   kind `ice` if no path is found; also if the two sides are in different ICE
   *   sessions, which another restart repairs.
   */
  async run() {
    const begun = performance.now();
    const { signal } = this.#stopped;
    const created = await this.#step(this.#pc.createOffer({ iceRestart: true }));
    const offer = { type: 'offer', sdp: this.#adaptOffer(created.sdp) };
    const local = readOfferIce(offer.sdp);
    const trickle = this.#newTrickle(local);
    this.#trickle = trickle;
    let remote;
    let before;
    try {
      await this.#step(this.#pc.setLocalDescription(offer));
      ({ remote, before } = await this.#exchange(local, trickle));
    } catch (error) {
      trickle.stop();
      await this.#rollBack();
      throw error;
    }
    const answered = performance.now();
    trickle.start((fragment) => this.#session.trickle(fragment));
    const isNew = (pair) =>
      pair.local.ufrag && pair.remote.ufrag
        ? pair.local.ufrag === local.ufrag && pair.remote.ufrag === remote.ufrag
        : !before.has(pair.id);
    await untilPair(this.#pc, isNew, PATH_LIMIT, signal);
    return { answered: answered - begun, found: performance.now() - begun };
  }

  /**
   * Exchanges the new credentials. It reads the pairs of the old ICE session as late as
   * possible: a young session still adds some, and selects another of them.
   */
  async #exchange(local, trickle) {
    const first = await this.#step(trickle.collect());
    const fragment = buildFragment(local, first.candidates, first.complete);
    const { body, etag } = await this.#session.restart(fragment, this.#stopped.signal);
    const remote = readFragment(body);
    if (!remote) {
      throw new WhipError('protocol', {
        title: 'The server did not restart ICE',
        detail: 'It accepted the request, but its response has no valid ICE credentials.',
      });
    }
    const sdp = replaceIce(this.#answer, remote);
    const before = await this.#step(pairIds(this.#pc));
    await this.#step(this.#pc.setRemoteDescription({ type: 'answer', sdp }));
    this.#session.etag = etag;
    trickle.told(first);
    return { remote, before };
  }

  /** Rolls the offer back, unless this was stopped: then the caller needs it. */
  async #rollBack() {
    if (this.#stopped.signal.aborted) return;
    if (this.#pc.signalingState !== 'have-local-offer') return;
    await this.#step(this.#pc.setLocalDescription({ type: 'rollback' }));
  }

  #step(promise) {
    return unlessAborted(promise, this.#stopped.signal);
  }
}
