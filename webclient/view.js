/**
 * What the page shows of link and figures. Writes to the document, reads nothing.
 *
 * @module
 */

import { describePair, selectedPair } from './candidate-pair.js';
import { describeWait, explain } from './problems.js';
import { describeRecovery, recoveryHint } from './recovery-words.js';
import { formatMs } from './rtt-statistics.js';
import { formatPhase, renderTimeline, totalTime } from './timeline.js';

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

/** What there is to say before there is anything to say. */
const NOTHING = {
  pair: 'Not connected yet.',
  offer: 'Nothing sent yet.',
  answer: 'Nothing received yet.',
};

/**
 * Writes a text, unless it stands there: live regions would tell it again, and who
 * has selected a part of it would lose the selection.
 *
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/**
 * The connection state in words: what it means for the user first, then, while there
 * is a connection, the browser's own word for it where that says something else.
 *
 * @param {Link} link
 * @param {boolean} wasConnected Whether there is a connection to have been lost.
 */
export function showState(link, wasConnected) {
  let [word, tone] = STATES[link.phase];
  if (link.phase === 'waiting' && !wasConnected) word = 'Not connected';
  const raw = link.client?.connectionState ?? '';
  const interrupted = link.phase === 'interrupted';
  // The browser notices an interruption later than the page, and its end earlier.
  const known = ['', 'new', interrupted ? 'connected' : word.toLowerCase()];
  const telling = link.active && !known.includes(raw);
  const hint = interrupted ? recoveryHint(link.recovery) : '';
  $('state').dataset.tone = tone;
  $('state').dataset.phase = link.phase;
  $('state-shape').setAttribute('d', SHAPES[tone]);
  write('state-word', word);
  write('state-hint', hint);
  write('state-raw', raw);
  $('state-raw').hidden = !telling;
  showRecovery(link);
  for (const id of ['connect', 'ping', 'auto', 'interval', 'size']) {
    $(id).disabled = isHopeless(link);
  }
  const action = { idle: 'Connect', stopped: 'Connect', waiting: 'Stop' };
  $('connect').textContent = action[link.phase] ?? 'Disconnect';
}

/** Whether no press of any button can change anything. */
function isHopeless({ problem }) {
  return problem?.kind === 'unsupported';
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
  write('problem-title', title);
  write('problem-text', text);
  write('problem-technical', technical);
  $('retry').hidden = isHopeless(link);
  if (!waiting) write('countdown', link.phase === 'connecting' ? 'Trying again…' : '');
  $('try-now').textContent = waiting ? 'Try now' : 'Try again';
  // It keeps its room, so that nothing moves under anybody's finger.
  $('try-now').classList.toggle('is-away', link.phase === 'connecting');
}

/** @param {number} seconds */
export function showCountdown(seconds) {
  write('countdown', `Trying again in ${describeWait(seconds)}`);
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
  const [value, unit] = rtt === null ? ['lost', ''] : formatMs(rtt).split(' ');
  $('rtt').textContent = value;
  $('rtt-unit').textContent = unit && ` ${unit}`;
  $('rtt').parentElement.classList.toggle('is-lost', rtt === null);
  $('rtt').parentElement.classList.remove('is-empty');
  showNote(note);
}

/** As before the first ping. */
export function showNoReading() {
  $('rtt').textContent = '–';
  $('rtt-unit').textContent = '';
  $('rtt').parentElement.classList.remove('is-lost');
  $('rtt').parentElement.classList.add('is-empty');
  showNote('The server sends every message straight back.');
}

/** @param {string} note What there is to say about the reading. */
export function showNote(note) {
  write('rtt-note', note);
}

/** The reading is no longer about a connection that exists. */
export function showReadingIsOld() {
  if ($('rtt').textContent !== '–') showNote('From before the connection ended.');
}

/** @param {Link} link */
export function showSetup(link) {
  const marks = link.client?.marks ?? new Map();
  renderTimeline($('timeline'), marks, link.active);
  const total = totalTime(marks);
  write('setup-total', total === null ? '' : formatPhase(total));
}

/** Nothing is known of the new session, and what was known is not about it. */
export function showNewSession() {
  write('trickle', '');
  write('restart-note', '');
  write('pair', NOTHING.pair);
  write('pair-brief', '');
}

/** @param {Link} link */
export function showDescriptions(link) {
  const { client } = link;
  for (const name of ['offer', 'answer']) {
    const sdp = client?.[name];
    const candidates = sdp?.match(/^a=candidate:/gm)?.length ?? 0;
    let brief = candidates === 1 ? '1 candidate' : `${candidates} candidates`;
    // None in the offer is no fault: they are trickled.
    if (name === 'offer' && !candidates) brief = 'candidates follow';
    write(name, sdp ?? NOTHING[name]);
    write(`${name}-brief`, sdp ? brief : '');
  }
}

/** @param {Link} link */
export async function showPair(link) {
  const { client } = link;
  const pair = client ? await selectedPair(client.pc) : null;
  if (!pair || link.client !== client) return;
  write('pair', describePair(pair));
  const { local, remote } = pair;
  write('pair-brief', `${local.type} to ${remote.type}, ${remote.protocol}`);
}

/** @param {Link} link */
export function showTrickle({ client }) {
  const { patches, candidates, complete, refused } = client.trickled;
  const told = candidates === 1 ? '1 candidate' : `${candidates} candidates`;
  const requests = patches === 1 ? '1 PATCH' : `${patches} PATCHes`;
  let text = `Trickle ICE: ${told} in ${requests}`;
  if (complete) text += ', complete';
  if (refused) text = `Trickle ICE: the server takes no candidates (${refused.message})`;
  write('trickle', `${text}.`);
}

/**
 * The search for a new path: whether one can be asked for, and how the latest went.
 *
 * @param {Link} link
 */
export function showRecovery(link) {
  const { recovery } = link;
  $('restart').disabled = !link.established;
  write('restart-note', recovery ? describeRecovery(recovery, link.phase) : '');
}

/** @param {string} message For screen readers. */
export function announce(message) {
  $('announcer').textContent = message;
}
