/**
 * What all views go by: the stream that is pinged, the token, and where streams are.
 *
 * @module
 */

/**
 * @typedef {object} Settings
 * @property {string} stream The stream that is pinged.
 * @property {string} token Empty when there is none.
 */

/** What the server accepts as the name of a stream. */
const STREAM_NAME = /^[A-Za-z0-9._~-]{1,64}$/;

/**
 * @param {string} name
 * @returns {string|null} What is wrong with it, in words; null when nothing is.
 */
export function streamNameProblem(name) {
  if (STREAM_NAME.test(name) && name !== '.' && name !== '..') return null;
  return 'A stream name has 1 to 64 characters: letters, digits and . _ ~ - only.';
}

/**
 * @param {string} [kind]
 * @returns {string} A name that two open pages will not share.
 */
export function randomStreamName(kind = 'ping') {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `${kind}-${[...bytes].map((byte) => (byte % 36).toString(36)).join('')}`;
}

/**
 * The stream the page starts with: `?stream=` in its address, else a random one.
 *
 * @param {string} search As location.search.
 * @returns {string}
 */
export function initialStreamName(search) {
  const name = new URLSearchParams(search).get('stream') ?? '';
  return streamNameProblem(name) ? randomStreamName() : name;
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
 * @param {string} layer The rid of the layer that is wanted; empty: any.
 * @returns {string}
 */
export function viewerEndpointOf(stream, layer) {
  const url = new URL(`whep/${encodeURIComponent(stream)}`, document.baseURI);
  if (layer) url.searchParams.set('layer', layer);
  return url.href;
}

/**
 * The address at which this page plays a stream.
 *
 * @param {string} stream
 * @returns {string}
 */
export function watchPageOf(stream) {
  return new URL(`#watch/${encodeURIComponent(stream)}`, document.baseURI).href;
}
