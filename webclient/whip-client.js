/**
 * A WHIP client (RFC 9725) for the browser, without any user interface.
 *
 *     const client = new WhipClient('/whip/mystream', { token });
 *     const channel = client.pc.createDataChannel('ping');   // or addTransceiver()
 *     await client.connect();                                // connected, or throws
 *     await client.restartIce();                             // a new network path
 *     await client.close();                                  // DELETE, then the end
 *
 * Whatever is to be negotiated (data channels, tracks) has to be added to
 * `client.pc` before `connect()`: WHIP knows no renegotiation.
 *
 * @module
 */

import { IceRestart } from './ice-restart.js';
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
 * @property {string} [token] Sent as `Authorization: Bearer` with every request.
 * @property {RTCIceServer[]} [iceServers] STUN and TURN servers; by default those that
 *   the endpoint names in its Link headers.
 * @property {RTCPeerConnection} [pc] A connection of the caller's own, which should
 *   have the bundle policy "max-bundle". `close()` closes it.
 * @property {number} [fetchTimeout] Milliseconds that one HTTP request may take
 *   (default 10 000).
 * @property {number} [connectTimeout] Milliseconds from the answer to a connected
 *   peer connection (default 15 000).
 */

/**
 * A moment of the setup: `start` (connect() called), `offered` (the offer exists),
 * `posted`, `answered` (the 201, or a refusal, is read), `gathering` (the browser
 * looks for its addresses), `gathered` (no more local candidates), `applied` (answer
 * set), `iceconnected`, `dtlsconnected`, `connected`; callers add their own with
 * `mark()`.
 *
 * @typedef {string} SetupMark
 */

/**
 * Events:
 * - `connectionstatechange`: read `connectionState`;
 * - `end`: the server has closed the connection;
 * - `mark`: CustomEvent<{name: SetupMark, time: number}>;
 * - `trickle`: read `trickled`. When the server takes no candidates, the session goes
 *   on all the same.
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
  /** performance.now() of each moment. @type {Map<SetupMark, number>} */
  marks = new Map();

  /** @type {WhipSession} */ #session;
  /** @type {number} */ #connectTimeout;
  /** Whether the endpoint may say which STUN and TURN servers to use. */
  #takesServers;
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

  /** The session URL, absolute; null when there is none. @returns {string|null} */
  get location() {
    return this.#session.location;
  }

  /** The entity-tag of the ICE session, with its quotes. @returns {string|null} */
  get etag() {
    return this.#session.etag;
  }

  /** Of the current ICE session. @returns {Trickled|undefined} */
  get trickled() {
    return this.#trickle?.trickled;
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
    const { signal } = this.#closing;
    try {
      const offer = await unlessAborted(this.pc.createOffer(), signal);
      this.offer = offer.sdp;
      this.mark('offered');
      await this.#post();
      this.#configure();
      const trickle = this.#newTrickle(readOfferIce(this.offer));
      this.mark('gathering');
      await unlessAborted(this.pc.setLocalDescription(offer), signal);
      await unlessAborted(this.#applyAnswer(), signal);
      trickle.start((fragment) => this.#session.trickle(fragment));
      await untilConnected(this.pc, this.#connectTimeout, signal);
    } catch (error) {
      const closed = signal.aborted;
      await this.close();
      if (closed) throw new WhipError('closed', { title: 'Closed', cause: error });
      if (error.kind === 'ice' && !/^a=candidate:/m.test(this.answer)) {
        const detail = 'The answer of the server holds no address to connect to.';
        throw new WhipError('ice', { title: error.title, detail });
      }
      throw asWhipError(error, 'The connection could not be set up');
    }
  }

  /**
   * Looks for a new network path (RFC 9725, section 4.3.3): tracks, data channels and
   * all messages in them go on. May be called whenever the connection is established,
   * or was and is lost; a call while another one is under way takes its place.
   *
   * @returns {Promise<RestartTimes>} Settled when packets take the new path.
   * @throws {WhipError} The session goes on as it was, over its old path if that
   *   still works. Of kind `superseded` when a later call has taken its place.
   */
  async restartIce() {
    if (!this.marks.has('connected')) throw new Error('There was no connection yet.');
    if (this.#closing.signal.aborted) throw new WhipError('closed', { title: 'Closed' });
    // Section 4.3.3: what was gathered for the session before is of no use any more.
    this.#trickle?.stop();
    this.#restart?.stop(new WhipError('superseded', { title: 'Restarted again' }));
    this.#restart = new IceRestart(this.pc, this.#session, this.answer, (local) =>
      this.#newTrickle(local),
    );
    return this.#restart.run().catch((error) => {
      throw asWhipError(error, 'ICE could not be restarted');
    });
  }

  /**
   * Ends the session with a DELETE and closes the peer connection. Never throws: a
   * server that cannot be told will notice by itself. The request outlives the page,
   * so this may be called, and not waited for, while the page goes away.
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
   * @returns {Promise<boolean|null>} Null when there is no answer; true also in doubt.
   */
  isAlive() {
    return this.#session.isAlive();
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
    const { signal } = this.#closing;
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
   * Takes over the STUN and TURN servers that the endpoint has named. It has to be
   * done before the local description is set (section 4.6).
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
        // One that this browser does not take is no reason to go without the others.
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

  /** From now on candidates belong to this ICE session. */
  #newTrickle(local) {
    this.#trickle = new CandidateTrickle(local, () => this.#emit('trickle'));
    return this.#trickle;
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @returns {WhipError} */
function asWhipError(error, title) {
  if (error instanceof WhipError) return error;
  return new WhipError('protocol', { title, detail: error.message, cause: error });
}
