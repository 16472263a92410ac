/**
 * Recordings: started and stopped by stream; files listed, downloaded and deleted
 * (`/api/streams/{stream}/recording`, `/api/recordings`).
 *
 * @module
 */

import { ask, askPage } from './api.js';

/** @typedef {import('./streams-api.js').Recording} Recording */

/**
 * @typedef {object} RecordedFile
 * @property {string} file The file name.
 * @property {string} stream
 * @property {string} started When it was created (RFC 3339).
 * @property {number} size Octets.
 * @property {number|null} duration Seconds; null if unknown.
 * @property {'recording'|'ended'} state
 * @property {string|null} ticket A ticket for downloads, used instead of the token.
 */

/**
 * @typedef {object} Recordings
 * @property {boolean} enabled Whether the server has a folder for them.
 * @property {RecordedFile[]} recordings The newest first.
 * @property {boolean} more Whether there are older ones.
 * @property {string[]} armed Streams whose next publisher is recorded.
 */

/** The number of a file within its recording, which is at the end of its name. */
const NUMBER = /_(\d+)\.\w+$/;

/**
 * Joins the files of each recording: a recording has several if it is long, or if its
 * codecs have changed.
 *
 * @param {RecordedFile[]} files The newest first.
 * @returns {RecordedFile[][]} The newest recording first; its files in their order.
 */
export function recordingsOf(files) {
  const found = [];
  /** The last recording of each stream. @type {Map<string, RecordedFile[]>} */
  const last = new Map();
  for (const file of [...files].reverse()) {
    const number = Number(file.file.match(NUMBER)?.[1] ?? 1);
    const recording = last.get(file.stream);
    if (number > 1 && recording) {
      recording.push(file);
    } else {
      last.set(file.stream, [file]);
      found.unshift(last.get(file.stream));
    }
  }
  return found;
}

/** @param {string} stream */
const pathOf = (stream) => `api/streams/${encodeURIComponent(stream)}/recording`;

/**
 * @param {string} stream
 * @param {string} token
 * @returns {Promise<Recording>}
 * @throws {import('../client/whip-error.js').WhipError}
 */
export function startRecording(stream, token) {
  return ask('POST', pathOf(stream), token);
}

/**
 * Stops a recording; resolves when its file is finished, or if there is none.
 *
 * @param {string} stream
 * @param {string} token
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function stopRecording(stream, token) {
  try {
    await ask('DELETE', pathOf(stream), token);
  } catch (error) {
    // It was stopped already.
    if (error.status !== 404) throw error;
  }
}

/**
 * @param {string} token
 * @param {number} pages The number of pages to get.
 * @returns {Promise<Recordings>}
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function fetchRecordings(token, pages) {
  let { value, next } = await askPage('api/recordings', token);
  const { enabled, recordings, armed = [] } = value;
  for (let page = 1; page < pages && next; page += 1) {
    ({ value, next } = await askPage(next, token));
    recordings.push(...value.recordings);
  }
  return { enabled, recordings, armed, more: next !== null };
}

/**
 * Deletes a file; resolves also if it is deleted already.
 *
 * @param {string} file Its name.
 * @param {string} token
 * @throws {import('../client/whip-error.js').WhipError}
 */
export async function deleteRecording(file, token) {
  try {
    await ask('DELETE', `api/recordings/${encodeURIComponent(file)}`, token);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/**
 * The URL of a file for a link, which cannot send a token.
 *
 * @param {RecordedFile} recorded
 * @returns {string}
 */
export function downloadOf({ file, ticket }) {
  const url = new URL(`api/recordings/${encodeURIComponent(file)}`, document.baseURI);
  if (ticket) url.searchParams.set('ticket', ticket);
  return url.href;
}
