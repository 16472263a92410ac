/**
 * A standing link to the server: one WHIP or WHEP session, replaced by a new one whenever it
 * is lost.
 *
 * @module
 */

import { PathRecovery } from './path-recovery.js';
import { Reconnector } from './reconnect.js';
import { WhipClient } from './whip-client.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./path-recovery.js').RecoveryCause} RecoveryCause */

/**
 * - `idle`: nobody wants a connection;
 * - `connecting`: on the way to a connection, and to an open channel if it has one;
 * - `connected`: what it is for can begin;
 * - `interrupted`: the server is missed, and may be found again;
 * - `waiting`: no connection, the next try is scheduled;
 * - `stopped`: no connection, and trying again by itself would be useless.
 *
 * @typedef {'idle'|'connecting'|'connected'|'interrupted'|'waiting'|'stopped'} LinkPhase
 */

/**
 * What the sessions are for: a data channel, or media.
 *
 * @typedef {object} LinkUse
 * @property {string} [channel] The label of the data channel.
 * @property {(pc: RTCPeerConnection) => void} [addMedia] Adds what is to be sent or
 *   received to a connection.
 */

/** How long an interrupted connection may take to come back where no restart helps. */
const INTERRUPTION_LIMIT = 10_000;
const CHANNEL_LIMIT = 5000;

/**
 * Events:
 * - `change`: phase, problem or the browser's connection state changed;
 * - `open`: it is connected, by a new session; with a new open `channel`, if it has one;
 * - `close`: CustomEvent<{lost: boolean}>, the session is over;
 * - `session`: a new `client` has taken the place of the old one;
 * - `mark`: the setup got one step further;
 * - `countdown`: CustomEvent<number>, seconds to the next try;
 * - `trickle`: more is known of what became of the candidates, see `client.trickled`;
 * - `recovery`: there is a new `recovery`, or a new state of it.
 */
export class Link extends EventTarget {
  /** @type {LinkPhase} */ phase = 'idle';
  /** @type {WhipError|null} */ problem = null;
  /** @type {WhipClient|null} */ client = null;
  /** @type {RTCDataChannel|null} */ channel = null;
  /** The latest search for a new path in this session. @type {PathRecovery|null} */
  recovery = null;
  #reconnector = new Reconnector();
  #wasConnected = false;
  #checking = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #limit;
  /** @type {() => {endpoint: string|URL, token: string}} */ #target;
  /** @type {LinkUse} */ #use;

  /**
   * @param {() => {endpoint: string|URL, token: string}} target Asked at every try.
   * @param {LinkUse} use
   */
  constructor(target, use) {
    super();
    this.#target = target;
    this.#use = use;
    this.#reconnector.addEventListener('countdown', (event) =>
      this.#emit('countdown', event.detail),
    );
  }

  /** Whether there is a session, or one is being set up. */
  get active() {
    return /^(connecting|connected|interrupted)$/.test(this.phase);
  }

  /** Whether there was a connection since somebody began to want one. */
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
      const { endpoint, token } = this.#target();
      client = new WhipClient(endpoint, { token });
      this.client = client;
      this.recovery = null;
      this.#follow(client);
      this.#use.addMedia?.(client.pc);
      if (this.hasChannel) {
        this.channel = client.pc.createDataChannel(this.#use.channel);
        this.#followChannel(client, this.channel);
      }
      this.#emit('session');
      this.#to('connecting');
      await client.connect();
      if (!this.hasChannel && this.#isCurrent(client)) this.#opened();
    } catch (error) {
      if (client && client !== this.client) return;
      this.#failed(this.#asWhipError(error));
    }
  }

  /**
   * Does not try again: there is a reason that trying again would not change.
   *
   * @param {WhipError} reason
   */
  giveUp(reason) {
    this.#drop(false)?.close();
    this.#reconnector.cancel();
    this.problem = reason;
    this.#to('stopped');
  }

  /** Ends the session; stays away until `connect()`. */
  async disconnect() {
    const client = this.#drop(false);
    this.#wasConnected = false;
    this.#reconnector.reset();
    this.problem = null;
    this.#to('idle');
    await client?.close();
    this.#emit('change');
  }

  /** The page goes away: tells the server without waiting for its response. */
  leave() {
    const client = this.#drop(false);
    this.#reconnector.cancel();
    this.#to('idle');
    client?.close();
  }

  /** Cuts a waiting time short. */
  tryNow() {
    if (this.#reconnector.waiting) this.#reconnector.now();
    else this.connect();
  }

  /** Whether there is a connection that a new path could be found for. */
  get established() {
    return this.phase === 'connected' || this.phase === 'interrupted';
  }

  /** Looks for a new path, because somebody wants it. */
  restart() {
    if (this.established) this.#recover('asked');
  }

  /** The device has another network: the path may be dead, or there is a better one. */
  networkChanged() {
    if (this.phase === 'waiting') this.tryNow();
    else if (this.established) this.#recover('network');
  }

  /**
   * Something looks wrong (a lost ping): asks the server over HTTP whether the session
   * still exists, which is known sooner than ICE gives up.
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
      if (!this.#isCurrent(client)) return;
      client.mark('channelopen');
      this.#opened();
    });
    channel.addEventListener('close', () => {
      if (this.#isCurrent(client) && this.established) this.#ended();
    });
  }

  /** What it is for can begin. */
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
        const text = 'It does not open the data channel.';
        const failure = new WhipError('protocol', { title: 'No echo here', detail: text });
        this.#limit = setTimeout(() => this.#failed(failure), CHANNEL_LIMIT);
      }
      this.#emit('change');
    }
  }

  /** Whether events of this client still concern anybody. */
  #isCurrent(client) {
    return this.active && client === this.client;
  }

  /** No packets come through: a new path is looked for. */
  #interrupted() {
    if (this.phase !== 'interrupted') this.#to('interrupted');
    if (!this.recovery?.active) this.#recover('silence');
  }

  /** Packets come through again, wherever they go. */
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

  /** What to do after a search for a new path, when there was none before. */
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

  /** The server has ended it. */
  #ended() {
    const detail = 'The server closed the connection.';
    this.#failed(new WhipError('ended', { title: 'Connection closed', detail }));
  }

  /** There is nothing to go back to. */
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
    // A proxy may answer 404 while the server behind it restarts: whatever worked
    // before is tried again.
    if (error.isTransient || (this.#wasConnected && error.kind !== 'unsupported')) {
      this.#to('waiting');
      this.#reconnector.schedule(() => this.connect(), 1000 * (error.retryAfter ?? 0));
    } else {
      this.#to('stopped');
    }
  }

  /**
   * Lets go of the session without ending it.
   *
   * @param {boolean} lost
   * @returns {WhipClient|null}
   */
  #drop(lost) {
    clearTimeout(this.#limit);
    this.recovery?.stop();
    const { client } = this;
    if (this.active) {
      // Kept for its offer, answer and marks; `active` tells that it is over.
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
    return new WhipError('protocol', { title: 'Unexpected error', detail: String(error) });
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
