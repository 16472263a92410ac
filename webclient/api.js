/**
 * Requests to the page's own server, other than WHIP and WHEP.
 *
 * @module
 */

import { WhipError } from './whip-error.js';
import { WhipHttp } from './whip-http.js';

/** Milliseconds to wait for a response. */
const LIMIT = 5000;
/** ... if the server has to write to a disk. */
const CHANGE_LIMIT = 15_000;

/**
 * @param {string} method
 * @param {string} path Relative to the page.
 * @param {string} token Empty if there is none.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} The JSON in the response; null if it is empty.
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
    const title = 'The server sent an unexpected response';
    throw new WhipError('protocol', { title, cause });
  }
}
