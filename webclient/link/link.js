/**
 * A permanent link to the server: a WHIP or WHEP session, replaced by a new one whenever
 * it is lost.
 *
 * @module
 */

import { prepareAttempt } from '../client/attempt.js';
import { PathRecovery } from './path-recovery.js';
import { Reconnector } from './reconnect.js';
import { WhipError } from '../client/whip-error.js';

/** @typedef {import('../client/attempt.js').Attempt} Attempt */
/** @typedef {import('../client/attempt.js').SessionUse} SessionUse */
/** @typedef {import('../client/whip-client.js').WhipClient} WhipClient */
/** @typedef {import('./path-recovery.js').RecoveryCause} RecoveryCause */

/**
 * - `idle`: no connection is wanted;
 * - `connecting`: connecting, and opening the data channel if it has one;
 * - `connected`: connected, with an open data channel if it has one;
 * - `interrupted`: no packets are received; a new path is searched;
 * - `waiting`: not connected; the next attempt is scheduled;
 * - `stopped`: not connected; another attempt would be useless.
 *
 * @typedef {'idle'|'connecting'|'connected'|'interrupted'|'waiting'|'stopped'} LinkPhase
 */

/** Milliseconds after which an interrupted connection is given up, if no restart helps. */
const INTERRUPTION_LIMIT = 10_000;
const CHANNEL_LIMIT = 5000;

/**
 * Events:
 * - `change`: phase, problem or the browser's connection state changed;
 * - `open`: a new session is connected, with a new open `channel` if it has one;
 * - `close`: CustomEvent<{lost: boolean}>, the session has ended;
 * - `session`: there is a new `client`;
 * - `mark`: a step of the setup is complete;
 * - `countdown`: CustomEvent<number>, seconds to the next attempt;
 * - `trickle`: `client.trickled` has changed;
 * - `recovery`: `recovery` is new, or its state has changed.
 */
export class Link extends EventTarget {
  /** @type {LinkPhase} */ phase = 'idle';
  /** @type {WhipError|null} */ problem = null;
  /** @type {WhipClient|null} */ client = null;
  /** @type {RTCDataChannel|null} */ channel = null;
  /** The last search for a new path in this session. @type {PathRecovery|null} */
  recovery = null;
  #reconnector = new Reconnector();
  #wasConnected = false;
  #checking = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #limit;
  /** @type {() => {endpoint: string|URL, token: string}} */ #target;
  /** @type {SessionUse} */ #use;
  /** @type {() => Attempt|null} */ #takeBegun;

  /**
   * @param {() => {endpoint: string|URL, token: string}} target Called at every attempt.
   * @param {SessionUse} use
   * @param {() => Attempt|null} [takeBegun] Returns a session that was begun before, to
   *   the same target and for the same use, and null from the second time on.
   */
  constructor(target, use, takeBegun = () => null) {
    super();
    this.#target = target;
    this.#use = use;
    this.#takeBegun = takeBegun;
    this.#reconnector.addEventListener('countdown', (event) =>
      this.#emit('countdown', event.detail),
    );
  }

  /** Whether there is a session, open or being opened. */
  get active() {
    return /^(connecting|connected|interrupted)$/.test(this.phase);
  }

  /** Whether it has been connected since `connect()`. */
  get wasConnected() {
    return this.#wasConnected;
  }

  /** Whether its sessions have a data channel. */
  get hasChannel() {
    return this.#use.channel !== undefined;
  }

  /** Opens a session, unless there is one. Never throws: see `problem`. */
  async connect() {
    if (this.active) return;
    this.#reconnector.cancel();
    let client;
    try {
      const begun = this.#takeBegun();
      const attempt = begun ?? prepareAttempt(this.#target(), this.#use);
      ({ client } = attempt);
      this.client = client;
      this.channel = attempt.channel;
      this.recovery = null;
      this.#follow(client);
      if (this.channel) this.#followChannel(client, this.channel);
      this.#emit('session');
      this.#to('connecting');
      if (begun) this.#catchUp(client);
      await attempt.connected();
      if (!this.hasChannel && this.#isCurrent(client)) this.#opened();
    } catch (error) {
      if (client && client !== this.client) return;
      this.#failed(this.#asWhipError(error));
    }
  }

  /**
   * Stops trying to connect.
   *
   * @param {WhipError} reason
   */
  giveUp(reason) {
    this.#drop(false)?.close();
    this.#reconnector.cancel();
    this.problem = reason;
    this.#to('stopped');
  }

  /** Ends the session, until `connect()`. */
  async disconnect() {
    const client = this.#drop(false);
    this.#wasConnected = false;
    this.#reconnector.reset();
    this.problem = null;
    this.#to('idle');
    await client?.close();
    this.#emit('change');
  }

  /** Ends the session when the page is left, without waiting for the server. */
  leave() {
    const client = this.#drop(false);
    this.#reconnector.cancel();
    this.#to('idle');
    client?.close();
  }

  /** Tries to connect now instead of waiting. */
  tryNow() {
    if (this.#reconnector.waiting) this.#reconnector.now();
    else this.connect();
  }

  /** Whether there is a connection, interrupted or not. */
  get established() {
    return this.phase === 'connected' || this.phase === 'interrupted';
  }

  /** Searches a new path on the user's request. */
  restart() {
    if (this.established) this.#recover('asked');
  }

  /** Searches a new path after a change of the device's network. */
  networkChanged() {
    if (this.phase === 'waiting') this.tryNow();
    else if (this.established) this.#recover('network');
  }

  /**
   * Asks the server over HTTP whether the session still exists, after a lost ping for
   * example. This is faster than waiting for ICE to fail.
   */
  async check() {
    const { client } = this;
    if (this.#checking || this.recovery?.active || !this.established) return;
    this.#checking = true;
    const alive = await client.isAlive();
    this.#checking = false;
    if (!this.#isCurrent(client)) return;
    if (alive === false) this.#gone();
    else if (alive === null) this.#interrupted();
  }

  /** @param {WhipClient} client */
  #follow(client) {
    const on = (type, handle) =>
      client.addEventListener(type, () => this.#isCurrent(client) && handle());
    on('connectionstatechange', () => this.#stateChanged(client));
    on('mark', () => this.#emit('mark'));
    on('trickle', () => this.#emit('trickle'));
    on('end', () => this.established && this.#ended());
  }

  /** @param {WhipClient} client @param {RTCDataChannel} channel */
  #followChannel(client, channel) {
    channel.addEventListener('open', () => {
      if (this.#isCurrent(client)) this.#opened();
    });
    channel.addEventListener('close', () => {
      if (!this.#isCurrent(client) || !this.established) return;
      // Firefox gives up when a packet has no way out, as between two networks.
      if (client.connectionState === 'failed') this.#lost('Nothing gets through any more.');
      else this.#ended();
    });
  }

  /** Handles what has happened to a session before the link took it over. @param {WhipClient} client */
  #catchUp(client) {
    if (this.channel?.readyState === 'open') this.#opened();
    else if (!client.marks.has('connected')) return;
    if (client.connectionState === 'connected') this.#stateChanged(client);
    else this.#lost('The server stopped answering.');
  }

  /** Handles the open connection or channel. */
  #opened() {
    clearTimeout(this.#limit);
    this.#wasConnected = true;
    this.#reconnector.reset();
    this.problem = null;
    this.#to('connected');
    this.#emit('open');
  }

  /** @param {WhipClient} client */
  #stateChanged(client) {
    const state = client.connectionState;
    if (/^(disconnected|failed)$/.test(state) && this.established) {
      this.#interrupted();
    } else if (state === 'connected' && this.phase === 'interrupted') {
      this.#restored();
    } else {
      if (state === 'connected' && this.phase === 'connecting' && this.hasChannel) {
        const text =
          'The server connects, and does not open the data channel. Whoever runs it can tell ' +
          'whether an application uses the data channels.';
        const failure = new WhipError('protocol', { title: 'No echo here', detail: text });
        this.#limit = setTimeout(() => this.#failed(failure), CHANNEL_LIMIT);
      }
      this.#emit('change');
    }
  }

  /** Whether this is the client of the current session. */
  #isCurrent(client) {
    return this.active && client === this.client;
  }

  /** Handles the loss of packets: searches a new path. */
  #interrupted() {
    if (this.phase !== 'interrupted') this.#to('interrupted');
    if (!this.recovery?.active) this.#recover('silence');
  }

  /** Handles that packets are received again, on any path. */
  #restored() {
    clearTimeout(this.#limit);
    if (this.recovery?.state !== 'restarting') this.recovery?.stop();
    this.#to('connected');
  }

  /** @param {RecoveryCause} cause */
  async #recover(cause) {
    const { client } = this;
    clearTimeout(this.#limit);
    this.recovery?.stop();
    const recovery = new PathRecovery(client, cause);
    this.recovery = recovery;
    const concerns = () => this.#isCurrent(client) && this.recovery === recovery;
    recovery.addEventListener('change', () => concerns() && this.#emit('recovery'));
    const outcome = await recovery.run();
    if (!concerns()) return;
    if (outcome === 'gone') this.#gone();
    else if (this.phase === 'interrupted') this.#recovered(outcome);
  }

  /** Handles the outcome of a search while the connection is interrupted. */
  #recovered(outcome) {
    const { connectionState } = this.client;
    if (outcome === 'found' && connectionState === 'connected') {
      this.#restored();
    } else if (outcome === 'failed' || (outcome !== 'found' && connectionState === 'failed')) {
      this.#lost('The server stopped answering.');
    } else {
      const text = 'No packets came through for a while.';
      this.#limit = setTimeout(() => this.#lost(text), INTERRUPTION_LIMIT);
    }
  }

  /** Handles the end of the session by the server. */
  #ended() {
    const detail = 'The server closed the connection.';
    this.#failed(new WhipError('ended', { title: 'Connection closed', detail }));
  }

  /** Handles that the server has no such session: opens a new one at once. */
  #gone() {
    this.#lost('The server does not know the session any more.');
    this.tryNow();
  }

  /** @param {string} detail */
  #lost(detail) {
    this.#failed(new WhipError('lost', { title: 'Connection lost', detail }));
  }

  /** @param {WhipError} error */
  #failed(error) {
    const client = this.#drop(this.established);
    client?.close();
    if (error.kind === 'closed') return;
    this.problem = error;
    // A proxy may answer 404 while the server behind it restarts: retry if it has worked
    // before.
    if (error.isTransient || (this.#wasConnected && error.kind !== 'unsupported')) {
      this.#to('waiting');
      this.#reconnector.schedule(() => this.connect(), 1000 * (error.retryAfter ?? 0));
    } else {
      this.#to('stopped');
    }
  }

  /**
   * Detaches from the session without ending it.
   *
   * @param {boolean} lost
   * @returns {WhipClient|null}
   */
  #drop(lost) {
    clearTimeout(this.#limit);
    this.recovery?.stop();
    const { client } = this;
    if (this.active) {
      // The client is kept for its offer, answer and marks.
      this.channel = null;
      this.phase = 'idle';
      this.#emit('close', { lost });
    }
    return client;
  }

  /** @param {LinkPhase} phase */
  #to(phase) {
    this.phase = phase;
    this.#emit('change');
  }

  #asWhipError(error) {
    if (error instanceof WhipError) return error;
    const detail = `${error}. Reload the page; if it comes again, tell whoever runs the server.`;
    return new WhipError('protocol', { title: 'Unexpected error', detail });
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
