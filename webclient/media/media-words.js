/**
 * Formats figures about media. Unknown values are shown as a dash.
 *
 * @module
 */

import { codecName } from './encoding.js';

export const UNKNOWN = '–';

/** Between a figure and its unit, so that they are not broken apart. */
const NBSP = '\u00a0';

/** @param {number|string} figure @param {string} unit @returns {string} */
const withUnit = (figure, unit) => `${figure}${NBSP}${unit}`;

/** @param {string|null|undefined} codec @returns {string} */
export function formatCodec(codec) {
  return codec ? codecName(codec) : UNKNOWN;
}

/** @param {number|null} [width] @param {number|null} [height] @returns {string} */
export function formatSize(width, height) {
  return width && height ? [width, '×', height].join(NBSP) : UNKNOWN;
}

/** @param {number|null} [rate] Frames per second. @returns {string} */
export function formatFrameRate(rate) {
  return rate === null || rate === undefined ? UNKNOWN : withUnit(Math.round(rate), 'fps');
}

/** @param {number|null} [bitrate] Bits per second. @returns {string} */
export function formatBitrate(bitrate) {
  if (bitrate === null || bitrate === undefined) return UNKNOWN;
  if (bitrate >= 1e6) return withUnit((bitrate / 1e6).toFixed(2), 'Mb/s');
  return withUnit(Math.round(bitrate / 1000), 'kb/s');
}

/** @param {number|null} [share] 0 to 1. @returns {string} */
export function formatShare(share) {
  if (share === null || share === undefined) return UNKNOWN;
  const percent = 100 * share;
  if (percent > 0 && percent < 0.1) return withUnit('<0.1', '%');
  return withUnit(percent.toFixed(percent > 0 && percent < 10 ? 1 : 0), '%');
}

/** @param {number|null} [seconds] @returns {string} */
export function formatRtt(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  const ms = 1000 * seconds;
  return withUnit(ms.toFixed(ms < 10 ? 1 : 0), 'ms');
}

/** @param {number} seconds @returns {string} The duration in its two largest units. */
export function formatDuration(seconds) {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** @param {number} count @returns {string} */
export function describeViewers(count) {
  return count === 1 ? '1 viewer' : `${count} viewers`;
}

/** @param {number} octets @returns {string} */
export function formatOctets(octets) {
  if (octets >= 1e9) return withUnit((octets / 1e9).toFixed(2), 'GB');
  if (octets >= 1e6) return withUnit((octets / 1e6).toFixed(1), 'MB');
  return withUnit(Math.ceil(octets / 1000), 'kB');
}

/**
 * @param {string} moment A time as in RFC 3339.
 * @param {Date} [now]
 * @returns {string} In the time zone of the browser; with the day if it is not today.
 */
export function formatMoment(moment, now = new Date()) {
  const date = new Date(moment);
  const today = date.toDateString() === now.toDateString();
  return today ? date.toLocaleTimeString('en-GB') : formatDate(moment);
}

/** @param {string} moment As above. @returns {string} With the day. */
export function formatDate(moment) {
  const style = { dateStyle: 'medium', timeStyle: 'short' };
  return new Date(moment).toLocaleString('en-GB', style);
}

/**
 * The fraction of packets lost and not recovered over RTX.
 *
 * @param {import('../resources/streams-api.js').ReceivedEncoding} encoding
 * @returns {number|null}
 */
export function lossOf({ packets, lost, recovered }) {
  const expected = packets + lost;
  return expected > 0 ? Math.max(0, lost - recovered) / expected : null;
}
