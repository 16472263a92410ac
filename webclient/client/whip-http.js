/**
 * The HTTP requests of a WHIP client: token, timeout, errors.
 *
 * @module
 */

import { WhipError, errorFromResponse } from './whip-error.js';

/** Sends requests; all its errors are WhipErrors. */
export class WhipHttp {
  /** @type {string|undefined} */ #token;
  /** @type {number} */ #timeout;

  /**
   * @param {string|undefined} token A Bearer token for all requests (RFC 9725,
   *   section 4.7.1); empty or undefined for none.
   * @param {number} timeout Milliseconds to wait for a response.
   */
  constructor(token, timeout) {
    this.#token = token || undefined;
    this.#timeout = timeout;
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {RequestInit & {timeout?: number}} [init] `timeout` is a shorter timeout; the
   *   abort reason of `signal` is thrown as it is.
   * @returns {Promise<{response: Response, text: string}>} Any successful response.
   * @throws {WhipError} Of kind `http`, `network` or `timeout`.
   */
  async request(method, url, { timeout = Infinity, headers = {}, signal, ...init } = {}) {
    signal?.throwIfAborted();
    const controller = new AbortController();
    const limit = Math.min(timeout, this.#timeout);
    const timer = setTimeout(() => controller.abort(), limit);
    signal?.addEventListener('abort', () => controller.abort(), {
      signal: controller.signal,
    });
    const authorization = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    try {
      const response = await fetch(url, {
        ...init,
        method,
        headers: { ...headers, ...authorization },
        signal: controller.signal,
      });
      if (!response.ok) throw await errorFromResponse(method, response, Boolean(this.#token));
      return { response, text: await response.text() };
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof WhipError) throw cause;
      throw controller.signal.aborted
        ? new WhipError('timeout', { method, title: 'The server does not answer', cause })
        : new WhipError('network', { method, title: 'No server reached', cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
