/**
 * Functions that wait for states of an RTCPeerConnection.
 *
 * @module
 */

import { selectedPair } from './candidate-pair.js';
import { WhipError } from './whip-error.js';

/** @typedef {import('./candidate-pair.js').SelectedPair} SelectedPair */

/** Not all browsers fire an event for a newly selected pair. */
const PAIR_POLL_MS = 50;

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

/**
 * Waits for a promise until the signal aborts: promises of a connection that is closed
 * meanwhile never settle.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 * @throws {unknown} The reason of the signal.
 */
export async function unlessAborted(promise, signal) {
  const done = new AbortController();
  const aborted = new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { signal: done.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}

/** Waits for a promise; rejects after a timeout, or when the signal aborts. */
async function within(milliseconds, makeError, promise, signal) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(makeError()), milliseconds);
  });
  try {
    return await unlessAborted(Promise.race([promise, late]), signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until the connection is established.
 *
 * @param {RTCPeerConnection} pc
 * @param {number} limit Milliseconds.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 * @throws {WhipError} Of kind `ice`; or the reason of the signal.
 */
export async function untilConnected(pc, limit, signal) {
  const done = new AbortController();
  const failure = () => new WhipError('ice', { title: 'No path to the server' });
  const connected = new Promise((resolve, reject) => {
    const check = () => {
      if (pc.connectionState === 'connected') resolve();
      else if (pc.connectionState === 'failed') reject(failure());
    };
    pc.addEventListener('connectionstatechange', check, { signal: done.signal });
    check();
  });
  try {
    await within(limit, failure, connected, signal);
  } finally {
    done.abort();
  }
}

/**
 * Waits until the browser has selected a candidate pair that passes a test.
 *
 * @param {RTCPeerConnection} pc
 * @param {(pair: SelectedPair) => boolean} test
 * @param {number} limit Milliseconds.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 * @throws {WhipError} Of kind `ice`; or the reason of the signal.
 */
export async function untilPair(pc, test, limit, signal) {
  const done = new AbortController();
  const failure = () =>
    new WhipError('ice', {
      title: 'No new path',
      detail: `No packet came through on a new path within ${limit / 1000} seconds.`,
    });
  let poll;
  const found = new Promise((resolve) => {
    const check = async () => {
      const pair = await selectedPair(pc);
      if (pair && test(pair)) resolve();
    };
    const transport = dtlsTransport(pc)?.iceTransport;
    const options = { signal: done.signal };
    transport?.addEventListener('selectedcandidatepairchange', check, options);
    poll = setInterval(check, PAIR_POLL_MS);
    check();
  });
  try {
    await within(limit, failure, found, signal);
  } finally {
    clearInterval(poll);
    done.abort();
  }
}
