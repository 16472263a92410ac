/**
 * What operators see and end: `/api/sessions`, `/api/status` and `/metrics`.
 *
 * @module
 */

import { ask } from './api.js';
import { WhipHttp } from '../client/whip-http.js';

/** Sessions that are listed, at most. */
const MOST = 200;
/** Milliseconds to wait for the metrics. */
const LIMIT = 5000;

/**
 * An open session; unknown values are null.
 *
 * @typedef {object} OpenSession
 * @property {string} id As in the server's log.
 * @property {string} kind
 * @property {string} stream
 * @property {string} state
 * @property {number} age Seconds.
 * @property {string} client The address of its HTTP requests.
 * @property {string|null} address That of its media.
 * @property {number|null} port
 * @property {string|null} candidate_type
 * @property {number|null} round_trip Seconds.
 * @property {number|null} loss 0 to 1.
 * @property {Record<string, number|null>} setup Seconds, by step.
 * @property {string|null} [chat_name] The name in its last message in the chat.
 */

/**
 * @param {string} token
 * @param {string} [find] Words that each of them has; empty: all sessions.
 * @returns {Promise<{total: number, sessions: OpenSession[]}>} The newest first.
 * @throws {import('../client/whip-error.js').WhipError}
 */
export function fetchSessions(token, find = '') {
  const query = new URLSearchParams({ limit: String(MOST), ...(find && { find }) });
  return ask('GET', `api/sessions?${query}`, token);
}

/**
 * @typedef {object} Status
 * @property {string} version
 * @property {number} [uptime] Seconds.
 * @property {{open: number}} [sessions]
 */

/**
 * Ends a session; resolves also if it has ended already.
 *
 * @param {string} id
 * @param {string} token
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function endSession(id, token) {
  try {
    await ask('DELETE', `api/sessions/${encodeURIComponent(id)}`, token);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/**
 * @param {string} token
 * @returns {Promise<Status>}
 * @throws {import('../client/whip-error.js').WhipError}
 */
export function fetchStatus(token) {
  return ask('GET', 'api/status', token);
}

/**
 * @param {string} token
 * @returns {Promise<string>} The metrics, in the text format of Prometheus.
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function fetchMetrics(token) {
  const url = new URL('metrics', document.baseURI).href;
  return (await new WhipHttp(token, LIMIT).request('GET', url)).text;
}

/**
 * The samples of one metric.
 *
 * @param {string} text As of `fetchMetrics`.
 * @param {string} name
 * @returns {Map<string, number>} By the value of the only label; empty without labels.
 */
export function samplesOf(text, name) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const match = line.match(/^(\w+)(?:\{\w+="([^"]*)"\})? (\S+)/);
    if (match?.[1] === name) found.set(match[2] ?? '', Number(match[3]));
  }
  return found;
}
