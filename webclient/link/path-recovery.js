/**
 * Finds a new network path for a connection with ICE restarts, as long as the server has
 * the session.
 *
 * @module
 */

import { untilOnline } from './network.js';
import { WhipError } from '../client/whip-error.js';

/** @typedef {import('../client/ice-restart.js').RestartTimes} RestartTimes */
/** @typedef {import('../client/whip-client.js').WhipClient} WhipClient */

/**
 * The cause: the user asked, the device's network changed, or no packets are received.
 *
 * @typedef {'asked'|'network'|'silence'} RecoveryCause
 */

/**
 * - `restarting`: a restart is in progress;
 * - `pausing`: a restart failed, and the next one follows;
 * - `offline`: a restart failed, and the next one follows when the device is online;
 * - `found`: a new path is in use;
 * - `refused`: the server has the session, but does not restart ICE;
 * - `gone`: the server does not have the session any more;
 * - `failed`: all restarts failed;
 * - `stopped`: the recovery was stopped.
 *
 * @typedef {'restarting'|'pausing'|'offline'|'found'|'refused'|'gone'|'failed'|'stopped'}
 *   RecoveryState
 */

const ATTEMPTS = 2;
const PAUSE = 1000;
/** If the server asks for a longer pause, the recovery fails. */
const LONGEST_PAUSE = 5000;
const OFFLINE_LIMIT = 10_000;

/** Events: `change`, when `state` has changed. */
export class PathRecovery extends EventTarget {
  /** @type {RecoveryState} */ state = 'restarting';
  /** @type {RecoveryCause} */ cause;
  /** The times of the successful restart. @type {RestartTimes|null} */ times = null;
  /** The error of the last failed restart. @type {WhipError|null} */ error = null;
  /** @type {WhipClient} */ #client;
  #stopped = new AbortController();

  /**
   * @param {WhipClient} client A client that is or was connected.
   * @param {RecoveryCause} cause
   */
  constructor(client, cause) {
    super();
    this.#client = client;
    this.cause = cause;
  }

  /** Whether a restart is in progress or scheduled. */
  get active() {
    return /^(restarting|pausing|offline)$/.test(this.state);
  }

  /** Starts no more restarts. A restart in progress is not stopped. */
  stop() {
    if (!this.active) return;
    this.#to('stopped');
    this.#stopped.abort();
  }

  /** @returns {Promise<RecoveryState>} The final state. Never throws. */
  async run() {
    for (let attempt = 1; this.active; attempt += 1) {
      this.#to('restarting');
      const error = await this.#restart();
      if (!this.active) break;
      this.error = error;
      if (error.kind === 'superseded' || error.kind === 'closed') {
        this.#to('stopped');
      } else if (!error.isTransient || error.status === 501) {
        // The status does not tell whether the session has ended or the restart is not
        // supported (RFC 9725, section 4.1).
        const alive = await this.#client.isAlive();
        if (this.active) this.#to(alive === false ? 'gone' : 'refused');
      } else if (!(await this.#pause(attempt, error))) {
        if (this.active) this.#to('failed');
      }
    }
    return this.state;
  }

  /** @returns {Promise<WhipError|null>} Null if it found a path. */
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
