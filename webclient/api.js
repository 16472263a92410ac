/**
 * Requests of the page to the server it comes from, other than WHIP and WHEP.
 *
 * @module
 */

import { WhipError } from './whip-error.js';
import { WhipHttp } from './whip-http.js';

/** Milliseconds for an answer. */
const LIMIT = 5000;
/** ... where that waits for a disk. */
const CHANGE_LIMIT = 15_000;

/**
 * @param {string} method
 * @param {string} path Next to the page.
 * @param {string} token Empty when there is none.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} What the server says; null when that is nothing.
 * @throws {WhipError} Or the reason of the signal.
 */
export async function ask(method, path, token, signal) {
  const url = new URL(path, document.baseURI).href;
  const limit = method === 'GET' ? LIMIT : CHANGE_LIMIT;
  const { text } = await new WhipHttp(token, limit).request(method, url, {
    headers: { Accept: 'application/json' },
    signal,
  });
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const title = 'The server said something else than it was asked for';
    throw new WhipError('protocol', { title, cause });
  }
}
