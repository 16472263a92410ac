/**
 * What the server says of the streams that are live (`/api/streams`).
 *
 * @module
 */

import { WhipError } from './whip-error.js';
import { WhipHttp } from './whip-http.js';

/**
 * An encoding that the server receives; what it does not know yet is null.
 *
 * @typedef {object} ReceivedLayer
 * @property {string|null} rid Null when there is but one layer.
 * @property {string} codec As SDP writes it.
 * @property {number} bitrate Bits per second.
 * @property {number} packets
 * @property {number} lost
 * @property {number} recovered How many of these came after all, over RTX.
 * @property {number|null} [width] Pixels; like all that follows, of video only.
 * @property {number|null} [height]
 * @property {number} [frame_rate]
 * @property {number} [channels] Of audio only.
 */

/** @typedef {{kind: 'audio'|'video', layers: ReceivedLayer[]}} ReceivedTrack */

/**
 * @typedef {object} LiveStream
 * @property {string} name
 * @property {string} state
 * @property {number} duration Seconds since the publisher came.
 * @property {ReceivedTrack[]} tracks
 * @property {number} [viewers]
 */

const LIMIT = 5000;

/** @param {string} path @param {string} token @param {AbortSignal} [signal] */
async function get(path, token, signal) {
  const url = new URL(path, document.baseURI).href;
  const { text } = await new WhipHttp(token, LIMIT).request('GET', url, {
    headers: { Accept: 'application/json' },
    signal,
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    const title = 'The server said something else than what is live';
    throw new WhipError('protocol', { title, cause });
  }
}

/**
 * @param {string} token
 * @returns {Promise<LiveStream[]>} By name.
 * @throws {WhipError}
 */
export async function fetchStreams(token) {
  return (await get('api/streams', token)).streams;
}

/**
 * @param {string} name
 * @param {string} token
 * @param {AbortSignal} [signal]
 * @returns {Promise<LiveStream|null>} Null when nobody publishes it.
 * @throws {WhipError} Or the reason of the signal.
 */
export async function fetchStream(name, token, signal) {
  try {
    return await get(`api/streams/${encodeURIComponent(name)}`, token, signal);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
