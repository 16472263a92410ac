/**
 * The error class of the WHIP client.
 *
 * @module
 */

/**
 * The kind of failure, which is what a caller branches on:
 *
 * - `unsupported`: this browser has no WebRTC (or it is switched off);
 * - `network`: no HTTP response at all (server down, DNS, TLS, CORS);
 * - `timeout`: no HTTP response in time;
 * - `http`: an HTTP response that is not a success;
 * - `protocol`: a successful response that is not WHIP;
 * - `ice`: HTTP succeeded, but no media path to the server was found;
 * - `lost`: an established connection broke;
 * - `ended`: the server has closed an established connection;
 * - `closed`: `close()` was called meanwhile;
 * - `superseded`: a later ICE restart has superseded this one.
 *
 * @typedef {'unsupported'|'network'|'timeout'|'http'|'protocol'|'ice'|'lost'|'ended'|
 *   'closed'|'superseded'} WhipErrorKind
 */

/**
 * A failed WHIP operation.
 *
 * RFC 9725, section 4.1: a client must not infer a specific cause from a status code. So
 * `status` is only to be shown, and to be classified (`isClientError`, `isServerError`);
 * the cause is in `title` and `detail`, from the server's problem details (RFC 9457) if
 * there are any.
 */
export class WhipError extends Error {
  /**
   * @param {WhipErrorKind} kind
   * @param {object} [facts]
   * @param {number} [facts.status] HTTP status code.
   * @param {string} [facts.title] A short description.
   * @param {string} [facts.detail] A description in one or more sentences.
   * @param {string} [facts.method] The HTTP method that failed.
   * @param {number} [facts.retryAfter] Seconds the server asked to wait.
   * @param {boolean} [facts.hadToken] Whether the request had a Bearer token.
   * @param {string} [facts.redirectedTo] The URL after redirects.
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

  /** Whether the status is 4xx: the request is wrong. */
  get isClientError() {
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }

  /** Whether the status is 5xx: the server has failed. */
  get isServerError() {
    return this.status !== undefined && this.status >= 500;
  }

  /** Whether the same request may succeed later. */
  get isTransient() {
    if (this.kind === 'unsupported' || this.kind === 'protocol') return false;
    // 429 (RFC 6585) is temporary, with or without Retry-After.
    return !this.isClientError || this.retryAfter !== undefined || this.status === 429;
  }
}

/**
 * The seconds in a Retry-After header (RFC 9110, section 10.2.3), which has a number of
 * seconds or a date.
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
 * Makes a WhipError from an unsuccessful response; reads its body.
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
      // The body is malformed; the status is enough.
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
