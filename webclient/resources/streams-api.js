/**
 * The live streams, from `/api/streams`.
 *
 * @module
 */

import { ask, send } from './api.js';

/**
 * An encoding that the server receives (a layer in the API); unknown values are null.
 *
 * @typedef {object} ReceivedEncoding
 * @property {string|null} rid Null without simulcast.
 * @property {string} codec The encoding name, as in SDP.
 * @property {number} bitrate Bits per second.
 * @property {number} packets
 * @property {number} lost
 * @property {number} recovered How many of these were recovered by retransmission.
 * @property {number|null} [width] Pixels; video only, as all that follow.
 * @property {number|null} [height]
 * @property {number} [frame_rate]
 * @property {number} [key_frames] Key frames received so far.
 * @property {number} [channels] Audio only.
 */

/** @typedef {{kind: 'audio'|'video', layers: ReceivedEncoding[]}} ReceivedTrack */

/**
 * The recording of a stream; before it has begun, only the state is known.
 *
 * @typedef {object} Recording
 * @property {'waiting'|'recording'|'failed'} state
 * @property {string|null} [problem] Why it has failed.
 * @property {string} [started] When it was started (RFC 3339).
 * @property {string|null} [file] The file being written.
 * @property {number} [octets]
 * @property {number} [left_out] Frames received but not written.
 */

/**
 * Something in a stream that will hurt its viewers.
 *
 * @typedef {object} Finding
 * @property {string} code
 * @property {'problem'|'warning'|'note'} severity
 * @property {'audio'|'video'} kind
 * @property {string|null} rid
 * @property {string} text
 * @property {Record<string, string>} advice What to change, by program.
 */

/**
 * @typedef {object} LiveStream
 * @property {string} name
 * @property {string} state
 * @property {number} duration Seconds since it was published.
 * @property {ReceivedTrack[]} tracks
 * @property {Recording|null} [recording] Null while there is none.
 * @property {number} [viewers]
 * @property {Finding[]} [health] The most important first.
 * @property {boolean} [shareable] Whether this page may make links for viewers, who need
 *   one.
 */

/** Milliseconds to wait for a picture: the server may have to wait for a key frame. */
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
 * @returns {Promise<LiveStream|null>} Null if it is not published.
 * @throws {WhipError} Or the reason of the signal.
 */
export async function fetchStream(name, token, signal) {
  // The resource of a stream that is not published would be an error in the console.
  const path = `api/streams?${new URLSearchParams({ name })}`;
  return (await ask('GET', path, token, signal)).streams[0] ?? null;
}

/**
 * Ends the session of a stream's publisher; resolves also if it has ended already.
 *
 * @param {string} name
 * @param {string} token
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function stopPublisher(name, token) {
  try {
    await ask('DELETE', `api/streams/${encodeURIComponent(name)}/publisher`, token);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/**
 * Makes a link with which others watch a stream, without a token.
 *
 * @param {string} name
 * @param {number} lifetime Seconds for which it is good.
 * @param {string} token
 * @returns {Promise<{url: string, expires: string}>} Its end as RFC 3339 has it.
 * @throws {WhipError}
 */
export async function makeViewerLink(name, lifetime, token) {
  const path = `api/streams/${encodeURIComponent(name)}/links`;
  const { url, expires } = await send('POST', path, token, { expires_in: lifetime });
  return { url: new URL(url, new URL(path, document.baseURI)).href, expires };
}

/**
 * A picture of a stream, at most a few seconds old.
 *
 * @param {string} name
 * @param {string} token
 * @returns {Promise<ImageBitmap|null>} Null if there is none now, for any reason.
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
