/**
 * Requests to the page's own server, other than WHIP and WHEP.
 *
 * @module
 */

import { parseLinkHeader } from '../client/link-header.js';
import { WhipError } from '../client/whip-error.js';
import { WhipHttp } from '../client/whip-http.js';

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
  return (await request(method, path, token, signal)).value;
}

/**
 * Sends JSON.
 *
 * @param {string} method
 * @param {string} path Relative to the page.
 * @param {string} token Empty if there is none.
 * @param {unknown} content
 * @returns {Promise<any>} The JSON in the response; null if it is empty.
 * @throws {WhipError}
 */
export async function send(method, path, token, content) {
  const body = JSON.stringify(content);
  const headers = { 'Content-Type': 'application/json' };
  return (await request(method, path, token, undefined, { headers, body })).value;
}

/**
 * Gets one page of a list.
 *
 * @param {string} path Relative to the page.
 * @param {string} token Empty if there is none.
 * @returns {Promise<{value: any, next: string|null}>} The JSON in the response, and the
 *   URL of the next page (RFC 8288); null if there is none.
 * @throws {WhipError}
 */
export async function askPage(path, token) {
  const { value, response } = await request('GET', path, token);
  const links = parseLinkHeader(response.headers.get('Link'));
  const next = links.find(({ parameters }) => parameters.get('rel') === 'next');
  return { value, next: next ? new URL(next.target, response.url).href : null };
}

/**
 * @param {string} method
 * @param {string} path
 * @param {string} token
 * @param {AbortSignal} [signal]
 * @param {{headers?: Record<string, string>, body?: string}} [content]
 * @returns {Promise<{response: Response, value: any}>}
 */
async function request(method, path, token, signal, { headers = {}, body } = {}) {
  const url = new URL(path, document.baseURI).href;
  const limit = method === 'GET' ? LIMIT : CHANGE_LIMIT;
  const { response, text } = await new WhipHttp(token, limit).request(method, url, {
    headers: { Accept: 'application/json', ...headers },
    body,
    signal,
  });
  if (!text) return { response, value: null };
  try {
    return { response, value: JSON.parse(text) };
  } catch (cause) {
    const title = 'The server sent an unexpected response';
    throw new WhipError('protocol', { title, cause });
  }
}
