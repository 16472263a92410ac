/**
 * Settings shared by all views: the stream to ping, the token, the delay, and URLs of
 * streams.
 *
 * @module
 */

/**
 * @typedef {object} Settings
 * @property {string} stream The stream to ping.
 * @property {string} token Empty if there is none.
 * @property {boolean} [isLink] Whether the token is the secret of a link for viewers.
 * @property {string} delay The chosen delay of what is watched: milliseconds, or `auto`.
 */

/** The syntax of stream names. */
const STREAM_NAME = /^[A-Za-z0-9._~-]{1,64}$/;

/**
 * @param {string} name
 * @returns {string|null} A description of the error; null if the name is valid.
 */
export function streamNameProblem(name) {
  if (STREAM_NAME.test(name) && name !== '.' && name !== '..') return null;
  const others = '. _ ~ -'.replaceAll(' ', '\u00a0');
  return `A stream name has 1 to 64 characters: A to Z, a to z, digits and any of ${others}`;
}

/**
 * @param {string} [kind]
 * @returns {string} A random name, so that open pages do not share one.
 */
export function randomStreamName(kind = 'ping') {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `${kind}-${[...bytes].map((byte) => (byte % 36).toString(36)).join('')}`;
}

/**
 * The initial stream name: `?stream=` in the URL, else a random one.
 *
 * @param {string} search As location.search.
 * @returns {string}
 */
export function initialStreamName(search) {
  const name = new URLSearchParams(search).get('stream') ?? '';
  return streamNameProblem(name) ? randomStreamName() : name;
}

/**
 * @param {'localStorage'|'sessionStorage'} storage
 * @param {string} key
 * @returns {string} What was kept; empty if there is nothing.
 */
function recall(storage, key) {
  try {
    return globalThis[storage].getItem(key) ?? '';
  } catch {
    // The user lets pages keep nothing.
    return '';
  }
}

/**
 * @param {'localStorage'|'sessionStorage'} storage
 * @param {string} key
 * @param {string} value
 */
function keep(storage, key, value) {
  try {
    globalThis[storage].setItem(key, value);
  } catch {
    // It is for this visit, then.
  }
}

const DELAY_KEY = 'whipbird-delay';
const LOSSY_KEY = 'whipbird-ping-lossy';
const TOKEN_KEY = 'whipbird-token';
const PUBLISHING_KEY = 'whipbird-publishing';
const CHAT_NAME_KEY = 'whipbird-chat-name';

/** @returns {string} The delay chosen on an earlier visit; empty if there is none. */
export const rememberedDelay = () => recall('localStorage', DELAY_KEY);

/** @param {string} delay The chosen one, for the next visit. */
export const rememberDelay = (delay) => keep('localStorage', DELAY_KEY, delay);

/** @returns {string} The name written with on an earlier visit; empty if there is none. */
export const rememberedChatName = () => recall('localStorage', CHAT_NAME_KEY);

/** @param {string} name The one written with, for the next visit. */
export const rememberChatName = (name) => keep('localStorage', CHAT_NAME_KEY, name);

/** @returns {boolean} Whether pings were last sent without retransmissions. */
export const rememberedLossy = () => recall('localStorage', LOSSY_KEY) === 'yes';

/** @param {boolean} lossy Whether they are from now on, on the next visit too. */
export const rememberLossy = (lossy) => keep('localStorage', LOSSY_KEY, lossy ? 'yes' : '');

/** @returns {string} The token entered in this tab; empty if there is none. */
export const rememberedToken = () => recall('sessionStorage', TOKEN_KEY);

/** @param {string} token The entered one, for this tab. */
export const rememberToken = (token) => keep('sessionStorage', TOKEN_KEY, token);

/**
 * @returns {{wish: import('../media/publisher.js').PublishWish, onAir: boolean}|null} What
 *   was published last in this tab, and whether it still was when the page was left.
 */
export function rememberedPublishing() {
  try {
    return JSON.parse(recall('sessionStorage', PUBLISHING_KEY) || 'null');
  } catch {
    return null;
  }
}

/** @param {{wish: import('../media/publisher.js').PublishWish, onAir: boolean}} publishing */
export function rememberPublishing(publishing) {
  keep('sessionStorage', PUBLISHING_KEY, JSON.stringify(publishing));
}

/**
 * The WHIP endpoint of a stream, next to the page.
 *
 * @param {string} stream
 * @returns {string}
 */
export function endpointOf(stream) {
  return new URL(`whip/${encodeURIComponent(stream)}`, document.baseURI).href;
}

/**
 * The WHEP endpoint of a stream, next to the page.
 *
 * @param {string} stream
 * @param {string} layer The rid of the selected layer; empty: the server chooses.
 * @returns {string}
 */
export function viewerEndpointOf(stream, layer) {
  const url = new URL(`whep/${encodeURIComponent(stream)}`, document.baseURI);
  if (layer) url.searchParams.set('layer', layer);
  return url.href;
}

/**
 * The URL of the page that plays a stream.
 *
 * @param {string} stream
 * @param {string} [key] The secret in a link for viewers; empty if there is none.
 * @returns {string}
 */
export function watchPageOf(stream, key = '') {
  const url = new URL(`watch/${encodeURIComponent(stream)}`, document.baseURI);
  // Browsers send no fragment.
  if (key) url.hash = String(new URLSearchParams({ key }));
  return url.href;
}
