/**
 * What can go wrong between this client and a WHIP server, as one error class.
 *
 * @module
 */

/**
 * The kind of failure, which is what a caller branches on:
 *
 * - `unsupported`: this browser has no WebRTC (or it is switched off);
 * - `network`: no HTTP answer at all (server down, DNS, TLS, CORS);
 * - `timeout`: no HTTP answer in time;
 * - `http`: an HTTP answer that is not a success;
 * - `protocol`: a successful answer that is not WHIP;
 * - `ice`: HTTP went well, but no media path to the server was found;
 * - `lost`: an established connection broke;
 * - `ended`: the server has closed an established connection;
 * - `closed`: `close()` was called meanwhile;
 * - `superseded`: a later ICE restart has taken the place of this one.
 *
 * @typedef {'unsupported'|'network'|'timeout'|'http'|'protocol'|'ice'|'lost'|'ended'|
 *   'closed'|'superseded'} WhipErrorKind
 */

/**
 * A failed WHIP operation.
 *
 * RFC 9725, section 4.1: a client must not read a specific cause into a status
 * code. So `status` is there to be shown and to be taken by its hundreds
 * (`isClientError`, `isServerError`); what was wrong is in `title` and `detail`,
 * which come from the server's problem details (RFC 9457) when it sent any.
 */
export class WhipError extends Error {
  /**
   * @param {WhipErrorKind} kind
   * @param {object} [facts]
   * @param {number} [facts.status] HTTP status code.
   * @param {string} [facts.title] The problem in a few words.
   * @param {string} [facts.detail] The problem in a sentence or more.
   * @param {string} [facts.method] The HTTP method that failed.
   * @param {number} [facts.retryAfter] Seconds the server asked to wait.
   * @param {boolean} [facts.hadToken] Whether the request had a bearer token.
   * @param {string} [facts.redirectedTo] Where redirects led the request.
   * @param {unknown} [facts.cause]
   */
  constructor(kind, facts = {}) {
    const title = facts.title ?? kind;
    super(facts.detail ? `${title}: ${facts.detail}` : title, { cause: facts.cause });
    this.name = 'WhipError';
    this.kind = kind;
    this.status = facts.status;
    this.title = title;
    this.detail = facts.detail;
    this.method = facts.method;
    this.retryAfter = facts.retryAfter;
    this.hadToken = facts.hadToken ?? false;
    this.redirectedTo = facts.redirectedTo;
  }

  /** The server says the request itself is at fault (4xx). */
  get isClientError() {
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }

  /** The server says it is at fault itself (5xx). */
  get isServerError() {
    return this.status !== undefined && this.status >= 500;
  }

  /** Whether the same request may well succeed a little later. */
  get isTransient() {
    if (this.kind === 'unsupported' || this.kind === 'protocol') return false;
    // 429 (RFC 6585) means later by itself, with Retry-After or without.
    return !this.isClientError || this.retryAfter !== undefined || this.status === 429;
  }
}

/**
 * The seconds of a Retry-After header (RFC 9110, section 10.2.3), which may hold
 * a number of seconds or a date.
 *
 * @param {string|null} value
 * @param {number} [now] Milliseconds since the epoch.
 * @returns {number|undefined}
 */
export function parseRetryAfter(value, now = Date.now()) {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}

/**
 * Makes a WhipError of an unsuccessful response. Reads the body.
 *
 * @param {string} method The method of the request.
 * @param {Response} response
 * @param {boolean} hadToken Whether the request had a bearer token.
 * @returns {Promise<WhipError>}
 */
export async function errorFromResponse(method, response, hadToken) {
  let title;
  let detail;
  const type = response.headers.get('Content-Type') ?? '';
  if (/^application\/(problem\+)?json\b/i.test(type)) {
    try {
      const problem = await response.json();
      if (typeof problem?.title === 'string') title = problem.title;
      if (typeof problem?.detail === 'string') detail = problem.detail;
    } catch {
      // A broken body changes nothing about the failure it comes with.
    }
  }
  return new WhipError('http', {
    method,
    status: response.status,
    title: title ?? (response.statusText || `HTTP ${response.status}`),
    detail,
    retryAfter: parseRetryAfter(response.headers.get('Retry-After')),
    hadToken,
    redirectedTo: response.redirected ? response.url : undefined,
  });
}
