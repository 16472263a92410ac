/**
 * What the server says of the streams that are live (`/api/streams`).
 *
 * @module
 */

import { ask } from './api.js';

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
 * @property {number} [key_frames] How many have come.
 * @property {number} [channels] Of audio only.
 */

/** @typedef {{kind: 'audio'|'video', layers: ReceivedLayer[]}} ReceivedTrack */

/**
 * What is being recorded of a stream; all but the state only once it has begun.
 *
 * @typedef {object} Recording
 * @property {'waiting'|'recording'|'failed'} state
 * @property {string|null} [problem] Why it has failed.
 * @property {string} [started] When it was begun (RFC 3339).
 * @property {string|null} [file] The one that is being written.
 * @property {number} [octets]
 * @property {number} [left_out] Frames that came and were not written.
 */

/**
 * @typedef {object} LiveStream
 * @property {string} name
 * @property {string} state
 * @property {number} duration Seconds since the publisher came.
 * @property {ReceivedTrack[]} tracks
 * @property {Recording|null} [recording] Null while there is none.
 * @property {number} [viewers]
 */

/** Milliseconds that a picture may take: the server may have to wait for a key frame. */
const PICTURE_LIMIT = 8000;

/**
 * @param {string} token
 * @returns {Promise<LiveStream[]>} By name.
 * @throws {WhipError}
 */
export async function fetchStreams(token) {
  return (await ask('GET', 'api/streams', token)).streams;
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
    return await ask('GET', `api/streams/${encodeURIComponent(name)}`, token, signal);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/**
 * The picture of a stream, of a few seconds ago.
 *
 * @param {string} name
 * @param {string} token
 * @returns {Promise<ImageBitmap|null>} Null when there is none now, for whatever reason.
 */
export async function fetchPicture(name, token) {
  const path = `api/streams/${encodeURIComponent(name)}/snapshot.jpg`;
  try {
    const response = await fetch(new URL(path, document.baseURI), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(PICTURE_LIMIT),
    });
    return response.ok ? await createImageBitmap(await response.blob()) : null;
  } catch {
    return null;
  }
}
