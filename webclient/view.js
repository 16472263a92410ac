/**
 * What the page shows of link and figures. Writes to the document, reads nothing.
 *
 * @module
 */

import { describePair, selectedPair } from './candidate-pair.js';
import { explain } from './problems.js';
import { formatMs } from './rtt-statistics.js';
import { renderTimeline, totalTime } from './timeline.js';

/** @typedef {import('./link.js').Link} Link */
/** @typedef {import('./link.js').LinkPhase} LinkPhase */

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

const SHAPES = {
  good: 'M3 8.500 6.500 12 13 4.500',
  busy: 'M8 2.500a5.500 5.500 0 1 1-5.500 5.500',
  warn: 'M8 2.500v6.500M8 13v.1',
  bad: 'M3.500 3.500l9 9M12.500 3.500l-9 9',
  neutral: 'M3 8h10',
};

/** @type {Record<LinkPhase, [string, keyof typeof SHAPES]>} */
const STATES = {
  idle: ['Disconnected', 'neutral'],
  connecting: ['Connecting', 'busy'],
  connected: ['Connected', 'good'],
  interrupted: ['Connection interrupted', 'warn'],
  waiting: ['Connection lost', 'bad'],
  stopped: ['Not connected', 'bad'],
};

/**
 * The connection state in words: what it means for the user first, then the
 * browser's own word for it where that says something else.
 *
 * @param {Link} link
 * @param {boolean} wasConnected Whether there is a connection to have been lost.
 */
export function showState(link, wasConnected) {
  let [word, tone] = STATES[link.phase];
  if (link.phase === 'waiting' && !wasConnected) word = 'Not connected';
  const raw = link.client?.connectionState ?? '';
  $('state').dataset.tone = tone;
  $('state').dataset.phase = link.phase;
  $('state-shape').setAttribute('d', SHAPES[tone]);
  // A live region: written only when it changes.
  if ($('state-word').textContent !== word) $('state-word').textContent = word;
  $('state-raw').textContent = raw;
  $('state-raw').hidden = !raw || raw === word.toLowerCase();
  const action = { idle: 'Connect', stopped: 'Connect', waiting: 'Stop' };
  $('connect').textContent = action[link.phase] ?? 'Disconnect';
}

/** @param {Link} link */
export function showProblem(link) {
  const { problem } = link;
  const waiting = link.phase === 'waiting';
  if (!problem) {
    $('problem').hidden = true;
    return;
  }
  const { title, text, technical = '' } = explain(problem);
  $('problem').hidden = false;
  // An alert is read out whenever it is written, so not at every failed retry.
  if ($('problem-title').textContent !== title) $('problem-title').textContent = title;
  if ($('problem-text').textContent !== text) $('problem-text').textContent = text;
  $('problem-technical').textContent = technical;
  $('countdown').hidden = problem.kind === 'unsupported';
  if (!waiting) $('countdown').textContent = link.phase === 'connecting' ? 'Trying again…' : '';
  $('try-now').hidden = problem.kind === 'unsupported' || link.phase === 'connecting';
}

/** @param {number} seconds */
export function showCountdown(seconds) {
  $('countdown').textContent = `Trying again in ${seconds} s`;
}

/** @param {import('./rtt-statistics.js').RttSummary} summary */
export function showFigures(summary) {
  for (const name of ['min', 'average', 'p95', 'max']) {
    $(name).textContent = formatMs(summary[name]);
  }
  $('answered').textContent = summary.answered.toLocaleString('en');
  $('lost').textContent = summary.lost.toLocaleString('en');
  $('lost').classList.toggle('has-loss', summary.lost > 0);
}

/**
 * @param {number|null} rtt Null for a lost ping.
 * @param {string} note
 */
export function showReading(rtt, note) {
  $('rtt').textContent = rtt === null ? 'lost' : formatMs(rtt).replace(' ms', '');
  $('rtt').parentElement.classList.toggle('is-lost', rtt === null);
  $('rtt').nextElementSibling.hidden = rtt === null;
  $('rtt-note').textContent = note;
}

/** The reading is no longer about a connection that exists. */
export function showReadingIsOld() {
  if ($('rtt').textContent === '–') return;
  $('rtt-note').textContent = 'The latest ping before the connection ended.';
}

/** @param {Link} link */
export function showSetup(link) {
  const marks = link.client?.marks ?? new Map();
  renderTimeline($('timeline'), marks);
  const total = totalTime(marks);
  $('setup-total').textContent = total === null ? '' : formatMs(total);
}

/** @param {Link} link */
export function showDescriptions(link) {
  const { client } = link;
  for (const name of ['offer', 'answer']) {
    const sdp = client?.[name];
    if (!sdp) continue;
    $(name).textContent = sdp;
    const candidates = sdp.match(/^a=candidate:/gm)?.length ?? 0;
    const count = candidates === 1 ? '1 candidate' : `${candidates} candidates`;
    $(`${name}-brief`).textContent = count;
  }
}

/** @param {Link} link */
export async function showPair(link) {
  const pair = link.client ? await selectedPair(link.client.pc) : null;
  if (!pair) return;
  $('pair').textContent = describePair(pair);
  const { local, remote } = pair;
  $('pair-brief').textContent = `${local.type} to ${remote.type}, ${remote.protocol}`;
}

/**
 * What became of the candidates.
 *
 * @param {{patches: number, candidates: number, complete: boolean,
 *   refused: string|null}} trickle
 */
export function showTrickle({ patches, candidates, complete, refused }) {
  const told = candidates === 1 ? '1 candidate' : `${candidates} candidates`;
  const requests = patches === 1 ? '1 PATCH' : `${patches} PATCHes`;
  let text = `Trickle ICE: ${told} in ${requests}`;
  if (complete) text += ', complete';
  if (refused) text = `Trickle ICE: the server takes no candidates (${refused})`;
  $('trickle').textContent = `${text}.`;
}

/** @param {string} message For screen readers. */
export function announce(message) {
  $('announcer').textContent = message;
}
