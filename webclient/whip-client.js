/**
 * A WHIP client (RFC 9725) for the browser, without any user interface.
 *
 *     const client = new WhipClient('/whip/mystream', { token });
 *     const channel = client.pc.createDataChannel('ping');   // or addTransceiver()
 *     await client.connect();                                // connected, or throws
 *     …
 *     await client.close();                                  // DELETE, then the end
 *
 * Whatever is to be negotiated (data channels, tracks) has to be added to
 * `client.pc` before `connect()`: WHIP knows no renegotiation.
 *
 * @module
 */

import { readOfferIce } from './sdp-fragment.js';
import { CandidateTrickle } from './trickle.js';
import { WhipError } from './whip-error.js';
import { WhipHttp } from './whip-http.js';

/**
 * @typedef {object} WhipClientOptions
 * @property {string} [token] Sent as `Authorization: Bearer` with every request.
 * @property {RTCIceServer[]} [iceServers] STUN and TURN servers; none by default.
 * @property {RTCPeerConnection} [pc] A connection of the caller's own, which should
 *   have the bundle policy "max-bundle". `close()` closes it.
 * @property {number} [fetchTimeout] Milliseconds that one HTTP request may take
 *   (default 10 000).
 * @property {number} [connectTimeout] Milliseconds from the answer to a connected
 *   peer connection (default 15 000).
 */

/**
 * A moment of the setup: `start` (connect() called), `offered` (the offer exists),
 * `gathered` (no more local candidates), `posted`, `answered` (the 201, or a refusal,
 * is read), `applied` (answer set), `iceconnected`, `dtlsconnected`, `connected`;
 * callers add their own with `mark()`.
 *
 * @typedef {string} SetupMark
 */

/**
 * Events:
 * - `connectionstatechange`: read `connectionState`;
 * - `mark`: CustomEvent<{name: SetupMark, time: number}>;
 * - `trickle`: CustomEvent<{candidates: number, complete: boolean}>, a PATCH was
 *   accepted;
 * - `trickleerror`: CustomEvent<WhipError>, the server takes no more candidates.
 *   The session goes on.
 */
export class WhipClient extends EventTarget {
  /** Whether this browser can do WebRTC at all. */
  static get supported() {
    return typeof globalThis.RTCPeerConnection === 'function';
  }

  /** @type {RTCPeerConnection} */ pc;
  /** @type {string} */ endpoint;
  /** The offer as it was posted. @type {string|null} */
  offer = null;
  /** The answer as it was received. @type {string|null} */
  answer = null;
  /** The session URL, absolute. @type {string|null} */
  location = null;
  /** The entity-tag of the ICE session, with its quotes. @type {string|null} */
  etag = null;
  /** performance.now() of each moment. @type {Map<SetupMark, number>} */
  marks = new Map();

  /** @type {WhipHttp} */ #http;
  /** @type {number} */ #connectTimeout;
  #listening = new AbortController();
  #closed = false;
  /** @type {Promise<unknown>|null} */ #deleted = null;
  #trickle = new CandidateTrickle({
    onAccepted: (candidates, complete) => this.#emit('trickle', { candidates, complete }),
    onRefused: (error) => this.#emit('trickleerror', error),
  });

  /**
   * @param {string|URL} endpoint The WHIP endpoint, relative to the page or absolute.
   * @param {WhipClientOptions} [options]
   * @throws {WhipError} Of kind `unsupported`.
   */
  constructor(endpoint, options = {}) {
    super();
    if (!options.pc && !WhipClient.supported) {
      throw new WhipError('unsupported', { title: 'No WebRTC in this browser' });
    }
    this.endpoint = new URL(endpoint, globalThis.location?.href).href;
    this.#http = new WhipHttp(options.token, options.fetchTimeout ?? 10_000);
    this.#connectTimeout = options.connectTimeout ?? 15_000;
    this.pc =
      options.pc ??
      new RTCPeerConnection({
        iceServers: options.iceServers ?? [],
        bundlePolicy: 'max-bundle',
      });
  }

  /** @returns {RTCPeerConnectionState} As the browser reports it. */
  get connectionState() {
    return this.pc.connectionState;
  }

  /**
   * Offers, posts, applies the answer, trickles, and waits for the connection.
   * Can be called once.
   *
   * @returns {Promise<void>} Settled when the connection is established.
   * @throws {WhipError} And then everything is closed already.
   */
  async connect() {
    if (this.marks.has('start')) throw new Error('connect() was called before.');
    this.mark('start');
    this.#listen();
    try {
      await this.pc.setLocalDescription();
      // The description may hold candidates already; later ones are trickled.
      this.offer = this.pc.localDescription.sdp;
      this.mark('offered');
      await this.#post();
      await this.#applyAnswer();
      this.#trickle.start(readOfferIce(this.offer), (body) => this.#patch(body));
      await this.#connected();
    } catch (error) {
      const closed = this.#closed;
      await this.close();
      if (closed) throw new WhipError('closed', { title: 'Closed', cause: error });
      if (error instanceof WhipError) throw error;
      throw new WhipError('protocol', {
        title: 'The connection could not be set up',
        detail: error.message,
        cause: error,
      });
    }
  }

  /**
   * Ends the session with a DELETE and closes the peer connection. Never throws: a
   * server that cannot be told will notice by itself. The request outlives the page,
   * so this may be called, and not waited for, while the page goes away.
   *
   * @returns {Promise<void>}
   */
  async close() {
    this.#closed = true;
    this.#trickle.stop();
    // Closing first would race the DELETE: the server sees the peer leave, ends the
    // session itself and answers 404.
    await this.#delete();
    this.#listening.abort();
    this.pc.close();
  }

  /**
   * Asks the server whether it still has the session (GET on the session URL, which
   * RFC 9725, section 4.1 wants answered with 2xx).
   *
   * @returns {Promise<boolean>} False when the server is away or knows nothing of
   *   the session; true also in doubt (5xx).
   */
  async isAlive() {
    if (this.#closed || !this.location) return false;
    try {
      await this.#http.request('GET', this.location, { cache: 'no-store', timeout: 3000 });
      return true;
    } catch (error) {
      return error.isServerError;
    }
  }

  /**
   * Notes a moment of the setup, the first time it happens.
   *
   * @param {SetupMark} name
   */
  mark(name) {
    if (this.marks.has(name)) return;
    const time = performance.now();
    this.marks.set(name, time);
    this.#emit('mark', { name, time });
  }

  #listen() {
    const { pc } = this;
    const { signal } = this.#listening;
    pc.addEventListener('icecandidate', (e) => this.#trickle.add(e.candidate), { signal });
    const gathering = () => pc.iceGatheringState === 'complete' && this.mark('gathered');
    pc.addEventListener('icegatheringstatechange', gathering, { signal });
    const ice = () =>
      /^(connected|completed)$/.test(pc.iceConnectionState) && this.mark('iceconnected');
    pc.addEventListener('iceconnectionstatechange', ice, { signal });
    const connection = () => {
      if (pc.connectionState === 'connected') {
        this.mark('iceconnected');
        this.mark('dtlsconnected');
        this.mark('connected');
      }
      this.#emit('connectionstatechange');
    };
    pc.addEventListener('connectionstatechange', connection, { signal });
  }

  async #post() {
    this.mark('posted');
    const { response, text } = await this.#http
      .request('POST', this.endpoint, {
        headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
        body: this.offer,
      })
      .catch((error) => {
        if (error.status !== undefined) this.mark('answered');
        throw error;
      });
    const location = response.headers.get('Location');
    // Relative to where a redirect led, not to where it began. Kept even when the
    // rest of the answer is useless, so that close() can end the session.
    if (location) this.location = new URL(location, response.url).href;
    this.etag = response.headers.get('ETag');
    this.mark('answered');
    if (this.#closed) throw new WhipError('closed', { title: 'Closed' });
    const type = response.headers.get('Content-Type') ?? 'nothing';
    if (!/^application\/sdp\b/i.test(type)) {
      throw new WhipError('protocol', {
        title: 'Not a WHIP server',
        detail: `It answered the offer with ${type} instead of application/sdp.`,
      });
    }
    if (!this.location) {
      throw new WhipError('protocol', {
        title: 'Incomplete WHIP answer',
        detail: 'It has no Location header, so the session could never be ended.',
      });
    }
    this.answer = text;
  }

  async #applyAnswer() {
    await this.pc.setRemoteDescription({ type: 'answer', sdp: this.answer });
    this.mark('applied');
    const transport = dtlsTransport(this.pc);
    const note = () => transport.state === 'connected' && this.mark('dtlsconnected');
    transport?.addEventListener('statechange', note, { signal: this.#listening.signal });
  }

  /** @returns {Promise<void>} */
  #connected() {
    const { pc } = this;
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const settle = (error) => {
        clearTimeout(timer);
        controller.abort();
        error ? reject(error) : resolve();
      };
      const failed = () => {
        const detail = /^a=candidate:/m.test(this.answer)
          ? undefined
          : 'The answer of the server holds no address to connect to.';
        settle(new WhipError('ice', { title: 'No path to the server', detail }));
      };
      const timer = setTimeout(failed, this.#connectTimeout);
      const check = () => {
        if (this.#closed) settle(new WhipError('closed', { title: 'Closed' }));
        else if (pc.connectionState === 'connected') settle(null);
        else if (pc.connectionState === 'failed') failed();
      };
      pc.addEventListener('connectionstatechange', check, { signal: controller.signal });
      this.#listening.signal.addEventListener('abort', check);
      check();
    });
  }

  async #patch(body) {
    const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag' };
    if (this.etag) headers['If-Match'] = this.etag;
    await this.#http.request('PATCH', this.location, { headers, body });
  }

  async #delete() {
    if (this.location) {
      const url = this.location;
      this.location = null;
      const init = { keepalive: true, timeout: 2000 };
      // When it fails, there is nobody left to tell.
      this.#deleted = this.#http.request('DELETE', url, init).then(null, () => {});
    }
    await this.#deleted;
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * The one DTLS transport of a bundled connection.
 *
 * @param {RTCPeerConnection} pc
 * @returns {RTCDtlsTransport|undefined}
 */
export function dtlsTransport(pc) {
  const users = [pc.sctp, ...pc.getSenders(), ...pc.getReceivers()];
  return users.find((user) => user?.transport)?.transport;
}
