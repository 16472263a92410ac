/**
 * Shows pings: the latest one large, and figures of all. Only writes to the document.
 *
 * @module
 */

import { $, grouped, write } from '../ui/dom.js';
import { formatMs } from '../ping/rtt-statistics.js';

/** @param {import('../ping/rtt-statistics.js').RttSummary} summary */
export function showFigures(summary) {
  for (const name of ['min', 'average', 'p95', 'max']) {
    $(name).textContent = formatMs(summary[name]);
  }
  $('answered').textContent = grouped(summary.answered);
  $('lost').textContent = grouped(summary.lost);
  $('late').textContent = grouped(summary.late);
  $('lost').classList.toggle('has-loss', summary.lost > 0);
}

/**
 * @param {number|null} rtt Null for a lost ping.
 * @param {string} note
 */
export function showReading(rtt, note) {
  const [value, unit] = rtt === null ? ['lost', ''] : formatMs(rtt).split(' ');
  $('rtt').textContent = value;
  $('rtt-unit').textContent = unit && ` ${unit}`;
  $('rtt').parentElement.classList.toggle('is-lost', rtt === null);
  $('rtt').parentElement.classList.remove('is-empty');
  showNote(note);
}

/** Shows the state before the first ping. */
export function showNoReading() {
  $('rtt').textContent = '–';
  $('rtt-unit').textContent = '';
  $('rtt').parentElement.classList.remove('is-lost');
  $('rtt').parentElement.classList.add('is-empty');
  showNote('The server sends every message straight back.');
}

/** @param {string} note A note about the reading. */
export function showNote(note) {
  write('rtt-note', note);
}

/** Marks the reading as that of an earlier connection. */
export function showReadingIsOld() {
  if ($('rtt').textContent !== '–') showNote('From before the connection ended.');
}
