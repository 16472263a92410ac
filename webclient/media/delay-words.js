/**
 * Describes the delay of a played stream in words.
 *
 * @module
 */

import { AUTOMATIC, delaysOf } from './delay.js';
import { formatRtt, formatShare } from './media-words.js';

/** @typedef {import('./delay.js').AutomaticDelay} AutomaticDelay */
/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */

/**
 * @param {Incoming|null} incoming Null if there is no connection.
 * @returns {string} How far behind the server the picture and the sound are.
 */
export function describeDelays(incoming) {
  const { video, audio } = incoming ? delaysOf(incoming) : { video: null, audio: null };
  const known = [
    video === null ? '' : `the picture ${formatRtt(video)}`,
    audio === null ? '' : `the sound ${formatRtt(audio)}`,
  ].filter((text) => text);
  const what = 'half a round trip, and the time in this browser’s buffer';
  const rest = 'What the publisher takes is not in it.';
  if (!known.length) return `Delay: ${what}. ${rest}`;
  return `Delay: ${known.join(', ')} (${what}). ${rest}`;
}

/**
 * @param {string} choice The viewer's choice.
 * @param {AutomaticDelay} automatic
 * @returns {string} What the choice does now.
 */
export function describeChoice(choice, { target, loss }) {
  if (choice === '0') {
    return 'Shortest: what comes late is left out, so the picture may stand still for a moment.';
  }
  if (choice !== AUTOMATIC) {
    return `At least ${Number(choice) / 1000} s: time for late and lost packets to arrive.`;
  }
  if (!target) return 'Automatic: as short as possible, because next to no packets get lost.';
  const share = formatShare(loss);
  return `Automatic: at least ${target} ms, so that lost packets (${share}) can come again in time.`;
}
