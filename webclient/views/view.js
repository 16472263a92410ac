/**
 * Shows a link. Only writes to the document.
 *
 * @module
 */

import { describePair, selectedPair } from '../client/candidate-pair.js';
import { $, write } from '../ui/dom.js';
import { STREAM_TAKEN, describeWait, explain, wantsToken } from '../link/problems.js';
import { describeRecovery, recoveryHint } from '../link/recovery-words.js';
import { formatPhase, renderTimeline, totalTime } from './timeline.js';

/** @typedef {import('../link/link.js').Link} Link */
/** @typedef {import('../link/link.js').LinkPhase} LinkPhase */

const SHAPES = {
  good: 'M3 8.500 6.500 12 13 4.500',
  busy: 'M8 2.500a5.500 5.500 0 1 1-5.500 5.500',
  warn: 'M8 2.500v6.500M8 13v.1',
  bad: 'M3.500 3.500l9 9M12.500 3.500l-9 9',
  neutral: 'M3 8h10',
};

/** @type {Record<LinkPhase, keyof typeof SHAPES>} */
const TONES = {
  idle: 'neutral',
  connecting: 'busy',
  connected: 'good',
  interrupted: 'warn',
  waiting: 'bad',
  stopped: 'bad',
};

/**
 * The names of the phases, and the meaning of a 409.
 *
 * @typedef {Record<LinkPhase, string> & {conflict: string}} StateWords
 */

/** @type {StateWords} */
export const CONNECTION_WORDS = {
  idle: 'Disconnected',
  connecting: 'Connecting',
  connected: 'Connected',
  interrupted: 'Connection interrupted',
  waiting: 'Connection lost',
  stopped: 'Not connected',
  conflict: STREAM_TAKEN,
};

/** @type {StateWords} */
export const PUBLISHING_WORDS = {
  ...CONNECTION_WORDS,
  idle: 'Not publishing',
  connected: 'On air',
  stopped: 'Not publishing',
};

/** Texts before there is any data. */
const NOTHING = {
  pair: 'Not connected yet.',
  offer: 'Nothing sent yet.',
  answer: 'Nothing received yet.',
};

/**
 * Shows the connection state in words: first its meaning for the user, then, while there
 * is a connection, the browser's own state if it differs.
 *
 * @param {Link} link
 * @param {StateWords} words
 */
export function showState(link, words) {
  const tone = TONES[link.phase];
  const word =
    link.phase === 'waiting' && !link.wasConnected ? words.stopped : words[link.phase];
  const raw = link.client?.connectionState ?? '';
  const interrupted = link.phase === 'interrupted';
  // The browser detects an interruption later than the page, and its end earlier.
  const known = ['', 'new', interrupted ? 'connected' : link.phase];
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
  $('connect').disabled = isHopeless(link);
  const action = { idle: 'Connect', stopped: 'Connect', waiting: 'Stop' };
  $('connect').textContent = action[link.phase] ?? 'Disconnect';
}

/** Whether no action of the user can help. @param {Link} link */
export function isHopeless({ problem }) {
  return problem?.kind === 'unsupported';
}

/** @param {Link} link @param {StateWords} words */
export function showProblem(link, words) {
  const { problem } = link;
  const waiting = link.phase === 'waiting';
  if (!problem) {
    $('problem').hidden = true;
    foldProblem(false);
    return;
  }
  const { title, text, technical = '' } = explain(problem, words.conflict);
  $('problem').hidden = false;
  // What is new is read first.
  if ($('problem-title').textContent !== title) foldProblem(false);
  // Screen readers announce an alert whenever it is written, so not at every retry.
  write('problem-title', title);
  write('problem-text', text);
  write('problem-technical', technical);
  $('token-form').hidden = !wantsToken(problem);
  $('retry').hidden = isHopeless(link);
  if (!waiting) write('countdown', link.phase === 'connecting' ? 'Trying again…' : '');
  $('try-now').textContent = waiting ? 'Try now' : 'Try again';
  // It keeps its space, so that nothing moves while the user clicks.
  $('try-now').classList.toggle('is-away', link.phase === 'connecting');
}

/**
 * Shows the title of a problem alone, or all of it, where it covers a part of the page.
 *
 * @param {boolean} folded
 */
export function foldProblem(folded) {
  $('problem').classList.toggle('is-folded', folded);
  $('problem-fold').setAttribute('aria-expanded', String(!folded));
  write('problem-fold', folded ? 'More' : 'Less');
}

/** @param {number} seconds */
export function showCountdown(seconds) {
  write('countdown', `Trying again in ${describeWait(seconds)}`);
}

/** @param {Link} link */
export function showSetup(link) {
  const marks = link.client?.marks ?? new Map();
  const channel = link.hasChannel;
  renderTimeline($('timeline'), marks, link.active, channel);
  const span = channel
    ? 'From Connect to the open channel'
    : 'Until media can flow';
  write('timeline-span', span);
  const total = totalTime(marks, channel);
  write('setup-total', total === null ? '' : formatPhase(total));
}

/**
 * Shows the endpoint of the sessions.
 *
 * @param {'WHIP'|'WHEP'} protocol
 * @param {string} url Empty if there is none.
 */
export function showEndpoint(protocol, url) {
  write('endpoint-protocol', protocol);
  write('endpoint', url);
}

/** Clears the texts about the last session when there is a new one. */
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
    // Candidates missing in the offer are trickled.
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
  if (!client?.trickled) return;
  const { patches, candidates, complete, refused } = client.trickled;
  const told = candidates === 1 ? '1 candidate' : `${candidates} candidates`;
  const requests = patches === 1 ? '1 PATCH' : `${patches} PATCHes`;
  let text = `Trickle ICE: ${told} in ${requests}`;
  if (complete) text += ', complete';
  if (refused) text = `Trickle ICE: the server accepts no candidates (${refused.message})`;
  write('trickle', `${text}.`);
}

/**
 * Shows the search for a new path: whether one can be started, and the last result.
 *
 * @param {Link} link
 */
export function showRecovery(link) {
  const { recovery } = link;
  $('restart').disabled = !link.established;
  write('restart-note', recovery ? describeRecovery(recovery, link.phase) : '');
}
