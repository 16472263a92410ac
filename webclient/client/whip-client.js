/**
 * A WHIP client (RFC 9725) for the browser, without any user interface.
 *
 *     const client = new WhipClient('/whip/mystream', { token });
 *     const channel = client.pc.createDataChannel('ping');   // or addTransceiver()
 *     await client.connect();                                // connected, or throws
 *     await client.restartIce();                             // a new network path
 *     await client.close();                                  // DELETE, then close
 *
 * Add all data channels and tracks to `client.pc` before `connect()`: WHIP has no
 * renegotiation.
 *
 * @module
 */

import { IceRestart } from './ice-restart.js';
import { whyNoPath } from './no-path.js';
import { dtlsTransport, unlessAborted, untilConnected } from './peer-connection.js';
import { readOfferIce } from './sdp-fragment.js';
import { CandidateTrickle } from './trickle.js';
import { WhipError } from './whip-error.js';
import { WhipHttp } from './whip-http.js';
import { WhipSession } from './whip-session.js';

/** @typedef {import('./ice-restart.js').RestartTimes} RestartTimes */
/** @typedef {import('./trickle.js').Trickled} Trickled */

/**
 * @typedef {object} WhipClientOptions
 * @property {string} [token] A Bearer token for all requests.
 * @property {RTCIceServer[]} [iceServers] STUN and TURN servers; by default those in the
 *   Link headers of the endpoint.
 * @property {RTCPeerConnection} [pc] A connection of the caller, which should have the
 *   bundle policy "max-bundle". `close()` closes it.
 * @property {(sdp: string) => string} [adaptOffer] Changes the browser's offers.
 * @property {number} [fetchTimeout] Milliseconds that one HTTP request may take
 *   (default 10 000).
 * @property {number} [connectTimeout] Milliseconds from the answer to a connected
 *   peer connection (default 15 000).
 */

/**
 * A moment of the setup: `start` (connect() called), `offered` (the offer exists),
 * `posted`, `answered` (the 201, or a refusal, is read), `gathering` (candidates are
 * gathered), `gathered` (no more local candidates), `applied` (the answer is set),
 * `iceconnected`, `dtlsconnected`, `connected`; callers add their own with `mark()`.
 *
 * @typedef {string} SetupMark
 */

/**
 * Events:
 * - `connectionstatechange`: read `connectionState`;
 * - `end`: the server has closed the connection;
 * - `mark`: CustomEvent<{name: SetupMark, time: number}>;
 * - `trickle`: read `trickled`. If the server accepts no candidates, the session
 *   continues.
 */
export class WhipClient extends EventTarget {
  /** Whether this browser can do WebRTC at all. */
  static get supported() {
    return typeof globalThis.RTCPeerConnection === 'function';
  }

  /** @type {RTCPeerConnection} */ pc;
  /** @type {string} */ endpoint;
  /** The posted offer. @type {string|null} */
  offer = null;
  /** The received answer. @type {string|null} */
  answer = null;
  /** performance.now() of each moment. @type {Map<SetupMark, number>} */
  marks = new Map();

  /** @type {WhipSession} */ #session;
  /** @type {number} */ #connectTimeout;
  /** @type {(sdp: string) => string} */ #adaptOffer;
  /** Whether to use the STUN and TURN servers that the endpoint names. */
  #takesServers;
  /** Of STUN and TURN servers. @type {Map<string, import('./no-path.js').ServerError>} */
  #serverErrors = new Map();
  #closing = new AbortController();
  /** @type {CandidateTrickle|null} */ #trickle = null;
  /** @type {IceRestart|null} */ #restart = null;

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
    this.#session = new WhipSession(
      new WhipHttp(options.token, options.fetchTimeout ?? 10_000),
    );
    this.#adaptOffer = options.adaptOffer ?? ((sdp) => sdp);
    this.#connectTimeout = options.connectTimeout ?? 15_000;
    this.pc =
      options.pc ??
      new RTCPeerConnection({
        iceServers: options.iceServers ?? [],
        bundlePolicy: 'max-bundle',
      });
    this.#takesServers =
      !options.iceServers && !this.pc.getConfiguration().iceServers?.length;
  }

  /** @returns {RTCPeerConnectionState} As the browser reports it. */
  get connectionState() {
    return this.pc.connectionState;
  }

  /** The absolute URL of the session; null if there is none. @returns {string|null} */
  get location() {
    return this.#session.location;
  }

  /** The entity-tag of the ICE session, with its quotes. @returns {string|null} */
  get etag() {
    return this.#session.etag;
  }

  /** The trickling of the current ICE session. @returns {Trickled|undefined} */
  get trickled() {
    return this.#trickle?.trickled;
  }

  /**
   * Offers, posts, applies the answer, trickles, and waits for the connection.
   * Can be called once.
   *
   * @returns {Promise<void>} Resolves when the connection is established.
   * @throws {WhipError} Then everything is closed.
   */
  async connect() {
    if (this.marks.has('start')) throw new Error('connect() was called before.');
    this.mark('start');
    this.#listen();
    const { signal } = this.#closing;
    try {
      const { sdp } = await unlessAborted(this.pc.createOffer(), signal);
      this.offer = this.#adaptOffer(sdp);
      this.mark('offered');
      await this.#post();
      this.#configure();
      const trickle = this.#newTrickle(readOfferIce(this.offer));
      this.mark('gathering');
      const offer = { type: 'offer', sdp: this.offer };
      await unlessAborted(this.pc.setLocalDescription(offer), signal);
      await unlessAborted(this.#applyAnswer(), signal);
      trickle.start((fragment) => this.#session.trickle(fragment));
      await untilConnected(this.pc, this.#connectTimeout, signal);
    } catch (error) {
      const closed = signal.aborted;
      const local = this.pc.localDescription?.sdp ?? '';
      await this.close();
      if (closed) throw new WhipError('closed', { title: 'Closed', cause: error });
      if (error.kind === 'ice') {
        throw new WhipError('ice', { title: error.title, detail: this.#whyNoPath(local) });
      }
      throw asWhipError(error, 'The connection could not be set up');
    }
  }

  /**
   * Restarts ICE to find a new network path (RFC 9725, section 4.3.3); tracks and data
   * channels continue. It may be called whenever the connection is or was established; a
   * call supersedes an unfinished one.
   *
   * @returns {Promise<RestartTimes>} Resolves when the new path is in use.
   * @throws {WhipError} The session continues, over its old path if that still works. Of
   *   kind `superseded` if a later call has superseded it.
   */
  async restartIce() {
    if (!this.marks.has('connected')) throw new Error('There was no connection yet.');
    if (this.#closing.signal.aborted) throw new WhipError('closed', { title: 'Closed' });
    // Section 4.3.3: candidates of the old ICE session are not used any more.
    this.#trickle?.stop();
    this.#restart?.stop(new WhipError('superseded', { title: 'Restarted again' }));
    this.#restart = new IceRestart(this.pc, this.#session, this.answer, {
      adaptOffer: this.#adaptOffer,
      newTrickle: (local) => this.#newTrickle(local),
    });
    return this.#restart.run().catch((error) => {
      throw asWhipError(error, 'ICE could not be restarted');
    });
  }

  /**
   * Ends the session with a DELETE and closes the peer connection. Never throws: a server
   * that cannot be reached will notice by itself. The request outlives the page, so this
   * may be called without awaiting it when the page is left.
   *
   * @returns {Promise<void>}
   */
  async close() {
    const reason = new WhipError('closed', { title: 'Closed' });
    this.#closing.abort(reason);
    this.#trickle?.stop();
    this.#restart?.stop(reason);
    // Closing first would race the DELETE: the server sees the peer leave, ends the
    // session itself and answers 404.
    await this.#session.end();
    this.pc.close();
  }

  /**
   * Asks the server whether it still has the session.
   *
   * @returns {Promise<boolean|null>} Null if there is no response; true if in doubt.
   */
  isAlive() {
    return this.#session.isAlive();
  }

  /**
   * Records the first occurrence of a moment of the setup.
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
    const { signal } = this.#closing;
    pc.addEventListener('icecandidate', (e) => this.#trickle.add(e.candidate), { signal });
    const failed = ({ url, errorCode, errorText }) =>
      this.#serverErrors.set(`${url} ${errorCode}`, { url, errorCode, errorText });
    pc.addEventListener('icecandidateerror', failed, { signal });
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
    try {
      this.answer = await this.#session.open(this.endpoint, this.offer);
      this.mark('answered');
    } catch (error) {
      if (error.kind === 'http' || error.kind === 'protocol') this.mark('answered');
      throw error;
    }
    this.#closing.signal.throwIfAborted();
  }

  /**
   * Uses the STUN and TURN servers that the endpoint has named. This must be done before
   * the local description is set (section 4.6).
   */
  #configure() {
    if (!this.#takesServers) return;
    const { pc } = this;
    const iceServers = [];
    for (const server of this.#session.iceServers) {
      try {
        pc.setConfiguration({
          ...pc.getConfiguration(),
          iceServers: [...iceServers, server],
        });
        iceServers.push(server);
      } catch {
        // Skip a server that this browser does not support.
      }
    }
  }

  async #applyAnswer() {
    await this.pc.setRemoteDescription({ type: 'answer', sdp: this.answer });
    this.mark('applied');
    const transport = dtlsTransport(this.pc);
    const note = () => {
      if (transport.state === 'connected') this.mark('dtlsconnected');
      if (transport.state === 'closed') this.#emit('end');
    };
    transport?.addEventListener('statechange', note, { signal: this.#closing.signal });
  }

  /** Makes the trickle for a new ICE session; it gets all candidates from now on. */
  #newTrickle(local) {
    this.#trickle = new CandidateTrickle(local, () => this.#emit('trickle'));
    return this.#trickle;
  }

  /** @param {string} local The local description, which is lost when it is closed. */
  #whyNoPath(local) {
    return whyNoPath({
      answer: this.answer,
      local,
      host: new URL(this.endpoint, globalThis.location?.href).hostname,
      errors: [...this.#serverErrors.values()],
      servers: this.pc.getConfiguration().iceServers ?? [],
    });
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @returns {WhipError} */
function asWhipError(error, title) {
  if (error instanceof WhipError) return error;
  const detail = `${error.message.replace(/\.$/, '')}. Try again, or with another browser.`;
  return new WhipError('protocol', { title, detail, cause: error });
}
