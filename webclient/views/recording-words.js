/**
 * Describes recordings in words.
 *
 * @module
 */

import { formatDate, formatDuration, formatMoment, formatOctets } from '../media/media-words.js';
import { explain, reasonOf } from '../link/problems.js';

/** @typedef {import('../resources/recordings-api.js').RecordedFile} RecordedFile */
/** @typedef {import('../resources/streams-api.js').Recording} Recording */

/** @param {Recording|null|undefined} recording @returns {boolean} Whether it is active. */
export function isGoingOn(recording) {
  return Boolean(recording) && recording.state !== 'failed';
}

/** @param {Recording|null|undefined} recording @returns {string} */
export function describeRecording(recording) {
  if (recording?.state === 'waiting') return 'Recording begins with the next key frame.';
  if (recording?.state !== 'recording') return '';
  const { started, octets, left_out: leftOut } = recording;
  const what = leftOut === 1 ? 'frame' : 'frames';
  const missing = leftOut ? `, ${leftOut} ${what} left out` : '';
  return `Recording since ${formatMoment(started)}, ${formatOctets(octets)}${missing}`;
}

/** @param {Recording|null|undefined} recording @returns {string} Why it has ended. */
export function describeEnd(recording) {
  if (recording?.state !== 'failed') return '';
  return reasonOf({ title: 'The recording has ended', detail: recording.problem });
}

/**
 * The reason for a refusal, in the server's words if there are any.
 *
 * @param {import('../client/whip-error.js').WhipError} error
 * @returns {string}
 */
export function describeRefusal(error) {
  if (error.kind === 'http' && error.status !== 401) return reasonOf(error);
  const { title, text } = explain(error);
  return `${title}. ${text}`;
}

/**
 * @param {RecordedFile[]} files Those of one recording.
 * @returns {string}
 */
export function describeFiles(files) {
  const size = files.reduce((total, each) => total + each.size, 0);
  const facts = [formatDate(files[0].started), formatOctets(size)];
  if (files.length > 1) facts.push(`${files.length} files`);
  const ended = files.filter(({ state }) => state === 'ended');
  if (ended.length < files.length) facts.push('still being written');
  else if (ended.every(({ duration }) => duration !== null)) {
    facts.push(formatDuration(ended.reduce((total, each) => total + each.duration, 0)));
  }
  return facts.join(' · ');
}
