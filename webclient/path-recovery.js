/**
 * Brings a connection onto a new network path: ICE restarts, as many as make sense
 * while the server has the session.
 *
 * @module
 */

import { untilOnline } from './network.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./ice-restart.js').RestartTimes} RestartTimes */
/** @typedef {import('./whip-client.js').WhipClient} WhipClient */

/**
 * Why: somebody asked for it, the device has another network, or nothing comes through.
 *
 * @typedef {'asked'|'network'|'silence'} RecoveryCause
 */

/**
 * - `restarting`: a restart is under way;
 * - `pausing`: it failed, the next one follows;
 * - `offline`: it failed, and the next one follows when the device has a network;
 * - `found`: packets take a new path;
 * - `refused`: the server has the session, and does not restart ICE;
 * - `gone`: the server has not got the session any more;
 * - `failed`: no restart got anywhere;
 * - `stopped`: it is of no interest any more.
 *
 * @typedef {'restarting'|'pausing'|'offline'|'found'|'refused'|'gone'|'failed'|'stopped'}
 *   RecoveryState
 */

const ATTEMPTS = 2;
const PAUSE = 1000;
/** A server that asks for more patience than this has other things to do. */
const LONGEST_PAUSE = 5000;
const OFFLINE_LIMIT = 10_000;

/** Events: `change`, there is a new `state`. */
export class PathRecovery extends EventTarget {
  /** @type {RecoveryState} */ state = 'restarting';
  /** @type {RecoveryCause} */ cause;
  /** Of the restart that found a path. @type {RestartTimes|null} */ times = null;
  /** Of the latest restart that failed. @type {WhipError|null} */ error = null;
  /** @type {WhipClient} */ #client;
  #stopped = new AbortController();

  /**
   * @param {WhipClient} client One that is, or was, connected.
   * @param {RecoveryCause} cause
   */
  constructor(client, cause) {
    super();
    this.#client = client;
    this.cause = cause;
  }

  /** Whether something goes on, or will by itself. */
  get active() {
    return /^(restarting|pausing|offline)$/.test(this.state);
  }

  /** Does no more. A restart that is under way is left to itself. */
  stop() {
    if (!this.active) return;
    this.#to('stopped');
    this.#stopped.abort();
  }

  /** @returns {Promise<RecoveryState>} How it ended. Never throws. */
  async run() {
    for (let attempt = 1; this.active; attempt += 1) {
      this.#to('restarting');
      const error = await this.#restart();
      if (!this.active) break;
      this.error = error;
      if (error.kind === 'superseded' || error.kind === 'closed') {
        this.#to('stopped');
      } else if (!error.isTransient || error.status === 501) {
        // No status code tells whether it is the session or the restart that the
        // server does not want (RFC 9725, section 4.1).
        const alive = await this.#client.isAlive();
        if (this.active) this.#to(alive === false ? 'gone' : 'refused');
      } else if (!(await this.#pause(attempt, error))) {
        if (this.active) this.#to('failed');
      }
    }
    return this.state;
  }

  /** @returns {Promise<WhipError|null>} Null when it found a path. */
  async #restart() {
    try {
      const times = await this.#client.restartIce();
      if (this.active) {
        this.times = times;
        this.#to('found');
      }
      return null;
    } catch (error) {
      return error;
    }
  }

  /** @returns {Promise<boolean>} Whether another restart makes sense now. */
  async #pause(attempt, error) {
    const { signal } = this.#stopped;
    if (error.kind === 'network' && !navigator.onLine) {
      this.#to('offline');
      return untilOnline(OFFLINE_LIMIT, signal);
    }
    const pause = Math.max(PAUSE, 1000 * (error.retryAfter ?? 0));
    if (attempt >= ATTEMPTS || pause > LONGEST_PAUSE) return false;
    this.#to('pausing');
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return true;
  }

  /** @param {RecoveryState} state */
  #to(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }
}
