/**
 * ICE restarts (RFC 9725, section 4.3.3): new credentials on both sides, a new path,
 * and everything above it, from DTLS to the messages in a data channel, as it was.
 *
 * @module
 */

import { selectedPair } from './candidate-pair.js';
import { unlessAborted, untilPair } from './peer-connection.js';
import { buildFragment, readFragment, readOfferIce, replaceIce } from './sdp-fragment.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./sdp-fragment.js').OfferIce} OfferIce */
/** @typedef {import('./trickle.js').CandidateTrickle} CandidateTrickle */
/** @typedef {import('./whip-session.js').WhipSession} WhipSession */

/** Milliseconds that finding the new path may take. */
const PATH_LIMIT = 8000;

/**
 * What became of a restart. In milliseconds after its beginning.
 *
 * @typedef {object} RestartTimes
 * @property {number} answered The server has told its new credentials.
 * @property {number} found Packets take a new path.
 */

/** One restart. */
export class IceRestart {
  /** @type {RTCPeerConnection} */ #pc;
  /** @type {WhipSession} */ #session;
  /** @type {string} */ #answer;
  /** @type {(local: OfferIce) => CandidateTrickle} */ #newTrickle;
  /** @type {CandidateTrickle|null} */ #trickle = null;
  #stopped = new AbortController();

  /**
   * @param {RTCPeerConnection} pc Established, or at least once.
   * @param {WhipSession} session
   * @param {string} answer That of the server; what is not about ICE stays as it says.
   * @param {(local: OfferIce) => CandidateTrickle} newTrickle Makes one that gets the
   *   browser's candidates from now on.
   */
  constructor(pc, session, answer, newTrickle) {
    this.#pc = pc;
    this.#session = session;
    this.#answer = answer;
    this.#newTrickle = newTrickle;
  }

  /**
   * Lets go of it: `run()` throws, a pending response changes nothing any more, and no
   * candidate is told. Does not undo what is done.
   *
   * @param {WhipError} reason
   */
  stop(reason) {
    this.#stopped.abort(reason);
    this.#trickle?.stop();
  }

  /**
   * @returns {Promise<RestartTimes>} Settled when the new path is found.
   * @throws {WhipError} The old ICE session goes on if the server has refused. Of kind
   *   `ice` when no path is found, which is also what it looks like when the two sides
   *   know of different restarts: another one mends that.
   */
  async run() {
    const begun = performance.now();
    const { signal } = this.#stopped;
    const offer = await this.#step(this.#pc.createOffer({ iceRestart: true }));
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
        : pair.id !== before?.id;
    await untilPair(this.#pc, isNew, PATH_LIMIT, signal);
    return { answered: answered - begun, found: performance.now() - begun };
  }

  /**
   * Tells the new credentials, and takes those of the server; finds out which pair there
   * was before that, for in a young session the pair still changes.
   */
  async #exchange(local, trickle) {
    const first = await this.#step(trickle.collect());
    const fragment = buildFragment(local, first.candidates, first.complete);
    const { body, etag } = await this.#session.restart(fragment, this.#stopped.signal);
    const remote = readFragment(body);
    if (!remote) {
      throw new WhipError('protocol', {
        title: 'The server did not restart ICE',
        detail: 'It accepted the request, but told no ICE credentials that could be used.',
      });
    }
    const sdp = replaceIce(this.#answer, remote);
    const before = await this.#step(selectedPair(this.#pc));
    await this.#step(this.#pc.setRemoteDescription({ type: 'answer', sdp }));
    this.#session.etag = etag;
    trickle.told(first);
    return { remote, before };
  }

  /** Takes the offer back, unless whoever stopped this needs it that way. */
  async #rollBack() {
    if (this.#stopped.signal.aborted) return;
    if (this.#pc.signalingState !== 'have-local-offer') return;
    await this.#step(this.#pc.setLocalDescription({ type: 'rollback' }));
  }

  #step(promise) {
    return unlessAborted(promise, this.#stopped.signal);
  }
}
