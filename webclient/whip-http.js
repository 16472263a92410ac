/**
 * The HTTP side of a WHIP client: bearer token, time limit, one kind of error.
 *
 * @module
 */

import { WhipError, errorFromResponse } from './whip-error.js';

/** Sends requests; every failure it throws is a WhipError. */
export class WhipHttp {
  /** @type {string|undefined} */ #token;
  /** @type {number} */ #timeout;

  /**
   * @param {string|undefined} token Sent as `Authorization: Bearer` with every
   *   request (RFC 9725, section 4.7.1). Without one there is no such header.
   * @param {number} timeout Milliseconds one request may take.
   */
  constructor(token, timeout) {
    this.#token = token || undefined;
    this.#timeout = timeout;
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {RequestInit & {timeout?: number}} [init] `timeout` shortens the limit;
   *   what `signal` gives as its reason is thrown as it is.
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
