/**
 * The HTTP side of a WHIP session (RFC 9725, section 4): POST opens it, PATCH sends
 * candidates and restarts ICE, DELETE ends it.
 *
 * @module
 */

import { iceServersOf } from './link-header.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./whip-http.js').WhipHttp} WhipHttp */

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

export class WhipSession {
  /** The absolute URL; null before the session is opened and after its end. @type {string|null} */
  location = null;
  /** The entity-tag of the ICE session, with its quotes. @type {string|null} */
  etag = null;
  /** The STUN and TURN servers named by the endpoint. @type {RTCIceServer[]} */
  iceServers = [];

  /** @type {WhipHttp} */ #http;
  /** @type {Promise<unknown>|null} */ #ended = null;
  /** Ends the requests that would find no session after the DELETE. */
  #ending = new AbortController();

  /** @param {WhipHttp} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {string} endpoint
   * @param {string} offer
   * @returns {Promise<string>} The answer.
   * @throws {WhipError} There may be a session nevertheless: then `location` is set.
   */
  async open(endpoint, offer) {
    const headers = { 'Content-Type': SDP, Accept: SDP };
    // A Location that stays right behind a proxy which changes paths (RFC 7240). Other
    // origins would have to permit the header.
    if (new URL(endpoint).origin === globalThis.location?.origin) {
      headers.Prefer = 'relative-location';
    }
    const { response, text } = await this.#http.request('POST', endpoint, {
      headers,
      body: offer,
    });
    const location = response.headers.get('Location');
    // Relative to the URL after redirects. It is kept even if the rest of the response is
    // invalid, so that the session can be ended.
    if (location) this.location = new URL(location, response.url).href;
    this.etag = response.headers.get('ETag');
    this.iceServers = iceServersOf(response.headers.get('Link'));
    const type = response.headers.get('Content-Type') ?? 'nothing';
    if (!/^application\/sdp\b/i.test(type)) throw notWhip(response, type);
    if (!this.location) {
      throw new WhipError('protocol', {
        title: 'Incomplete WHIP answer',
        detail:
          'It has no Location header, so the session could never be ended. Tell whoever ' +
          'runs the server.',
      });
    }
    return text;
  }

  /**
   * Sends candidates of the current ICE session.
   *
   * @param {string} fragment
   * @throws {WhipError}
   */
  async trickle(fragment) {
    const headers = { 'Content-Type': FRAGMENT };
    if (this.etag) headers['If-Match'] = this.etag;
    const { signal } = this.#ending;
    await this.#http.request('PATCH', this.location, { headers, body: fragment, signal });
  }

  /**
   * Requests an ICE restart (section 4.3.3). The caller sets `etag` to that of the
   * response when it uses the new ICE session.
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
   * Asks whether the session still exists, with a GET (section 4.1).
   *
   * @returns {Promise<boolean|null>} False if the server does not know it; null if there
   *   is no response; true if in doubt.
   */
  async isAlive() {
    if (!this.location) return false;
    try {
      const { signal } = this.#ending;
      const init = { cache: 'no-store', timeout: 3000, signal };
      await this.#http.request('GET', this.location, init);
      return true;
    } catch (error) {
      if (error.status === undefined) return null;
      // Other statuses do not mean that it is gone; they may be about the token or the
      // method, for example.
      return error.status !== 404 && error.status !== 410;
    }
  }

  /**
   * Ends the session. Never throws: nothing can be done about a failure. The request
   * outlives the page.
   */
  async end() {
    if (this.location) {
      const url = this.location;
      this.location = null;
      this.#ending.abort(new WhipError('closed', { title: 'Closed' }));
      const init = { keepalive: true, timeout: 2000 };
      this.#ended = this.#http.request('DELETE', url, init).then(null, () => {});
    }
    await this.#ended;
  }
}

/**
 * The error for a successful response that is not a WHIP answer.
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
    detail: `It answered the offer with ${type} instead of application/sdp. Check the address.`,
  });
}
