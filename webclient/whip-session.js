/**
 * A WHIP session as HTTP sees it (RFC 9725, section 4): opened with a POST, told of
 * candidates and restarts with PATCH, ended with DELETE.
 *
 * @module
 */

import { iceServersOf } from './link-header.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./whip-http.js').WhipHttp} WhipHttp */

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

export class WhipSession {
  /** The URL, absolute; null before there is a session, and after its end. @type {string|null} */
  location = null;
  /** The entity-tag of the ICE session, with its quotes. @type {string|null} */
  etag = null;
  /** The STUN and TURN servers that the endpoint has named. @type {RTCIceServer[]} */
  iceServers = [];

  /** @type {WhipHttp} */ #http;
  /** @type {Promise<unknown>|null} */ #ended = null;

  /** @param {WhipHttp} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {string} endpoint
   * @param {string} offer
   * @returns {Promise<string>} The answer.
   * @throws {WhipError} There may be a session all the same: then it has a `location`.
   */
  async open(endpoint, offer) {
    const { response, text } = await this.#http.request('POST', endpoint, {
      headers: { 'Content-Type': SDP, Accept: SDP },
      body: offer,
    });
    const location = response.headers.get('Location');
    // Relative to where a redirect led, not to where it began. Kept even when the
    // rest of the answer is useless, so that the session can be ended.
    if (location) this.location = new URL(location, response.url).href;
    this.etag = response.headers.get('ETag');
    this.iceServers = iceServersOf(response.headers.get('Link'));
    const type = response.headers.get('Content-Type') ?? 'nothing';
    if (!/^application\/sdp\b/i.test(type)) throw notWhip(response, type);
    if (!this.location) {
      throw new WhipError('protocol', {
        title: 'Incomplete WHIP answer',
        detail: 'It has no Location header, so the session could never be ended.',
      });
    }
    return text;
  }

  /**
   * Tells candidates of the current ICE session.
   *
   * @param {string} fragment
   * @throws {WhipError}
   */
  async trickle(fragment) {
    const headers = { 'Content-Type': FRAGMENT };
    if (this.etag) headers['If-Match'] = this.etag;
    await this.#http.request('PATCH', this.location, { headers, body: fragment });
  }

  /**
   * Asks for a new ICE session (section 4.3.3). Until `etag` is set to that of the
   * response, the session counts as the old one.
   *
   * @param {string} fragment With new credentials.
   * @param {AbortSignal} signal
   * @returns {Promise<{body: string, etag: string|null}>}
   * @throws {WhipError}
   */
  async restart(fragment, signal) {
    const headers = { 'Content-Type': FRAGMENT, 'If-Match': '*' };
    const { response, text } = await this.#http.request('PATCH', this.location, {
      headers,
      body: fragment,
      signal,
      timeout: 5000,
    });
    return { body: text, etag: response.headers.get('ETag') };
  }

  /**
   * Asks whether the session is still there (GET, which section 4.1 wants answered
   * with 2xx).
   *
   * @returns {Promise<boolean|null>} False when the server knows nothing of it; null
   *   when there is no answer; true also in doubt.
   */
  async isAlive() {
    if (!this.location) return false;
    try {
      await this.#http.request('GET', this.location, { cache: 'no-store', timeout: 3000 });
      return true;
    } catch (error) {
      if (error.status === undefined) return null;
      // HTTP's own words for what is not there. Any other status says something else,
      // of the token or the method, say.
      return error.status !== 404 && error.status !== 410;
    }
  }

  /**
   * Ends it. Never throws: when it fails, there is nobody left to tell. The request
   * outlives the page.
   */
  async end() {
    if (this.location) {
      const url = this.location;
      this.location = null;
      const init = { keepalive: true, timeout: 2000 };
      this.#ended = this.#http.request('DELETE', url, init).then(null, () => {});
    }
    await this.#ended;
  }
}

/**
 * A success that is no WHIP answer.
 *
 * @param {Response} response
 * @param {string} type Its Content-Type.
 * @returns {WhipError}
 */
function notWhip(response, type) {
  if (response.redirected && response.status !== 201) {
    return new WhipError('protocol', {
      title: 'The offer was lost in a redirect',
      detail:
        `The server sent the request on to ${response.url}, where it arrived without ` +
        'the offer. A redirect with 301 or 302 turns POST into GET; ' +
        'whoever runs the server has to use 307 or 308.',
    });
  }
  return new WhipError('protocol', {
    title: 'Not a WHIP server',
    detail: `It answered the offer with ${type} instead of application/sdp.`,
  });
}
