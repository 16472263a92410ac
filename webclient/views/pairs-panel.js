/**
 * The candidate pairs of the Ping view's connection, with their states.
 *
 * @module
 */

import { explainPairs, pairsIn, placeOf } from '../client/candidate-pairs.js';
import { $, make, write, writeRows } from '../ui/dom.js';
import { Poll } from '../ui/poll.js';

/** @typedef {import('../client/candidate-pairs.js').CandidatePair} CandidatePair */
/** @typedef {import('../link/link.js').Link} Link */

/** Milliseconds between updates. */
const PERIOD = 1000;

const HEADS = [
  'State',
  'This browser',
  'The server',
  'Round trip',
  'Checks sent',
  'Checks received',
];

/** The same before each text, on phones. */
const LABELS = ['', 'this browser', 'the server', 'round trip', 'checks', 'checks'];

/** @param {number|null} checks @param {string} word @param {number|null} answers */
const count = (checks, word, answers) =>
  checks === null ? '–' : `${checks} ${word}, ${answers ?? 0} answered`;

/** @param {CandidatePair} pair @returns {string[]} */
export function rowOf(pair) {
  const { local, remote, rtt } = pair;
  const state = [pair.selected ? 'selected' : pair.state, pair.nominated ? 'nominated' : ''];
  const end = (each) => `${each.protocol} ${placeOf(each)} (${each.type})`;
  return [
    state.filter(Boolean).join(', '),
    end(local),
    end(remote),
    rtt === null ? '–' : `${rtt.toFixed(1)} ms`,
    count(pair.requestsSent, 'sent', pair.responsesReceived),
    count(pair.requestsReceived, 'received', pair.responsesSent),
  ];
}

export class PairsPanel {
  /** @type {Link} */ #link;
  #poll = new Poll(() => this.#update(), PERIOD);
  #words = make('p', { className: 'note', id: 'pairs-words' });
  #body = make('tbody', { id: 'pairs-rows' });
  /** The pairs of the last connection. @type {CandidatePair[]} */ #pairs = [];

  /** @param {Link} link */
  constructor(link) {
    this.#link = link;
    this.#words.setAttribute('role', 'status');
    const heads = HEADS.map((head) => make('th', { scope: 'col' }, head));
    const table = make(
      'table',
      { className: 'tracks sessions pairs' },
      make('thead', {}, make('tr', {}, ...heads)),
      this.#body,
    );
    const region = make('div', { className: 'scroll', tabIndex: 0 }, table);
    region.setAttribute('role', 'region');
    region.setAttribute('aria-label', 'Candidate pairs');
    $('pairs-body').replaceChildren(this.#words, region);
    $('pairs').addEventListener('toggle', () => this.#toggle());
    link.addEventListener('change', () => $('pairs').open && this.#update());
    this.#toggle();
  }

  #toggle() {
    if ($('pairs').open) this.#poll.start();
    else this.#poll.stop();
  }

  async #update() {
    const { client, active } = this.#link;
    let state = 'closed';
    if (client && active) {
      state = client.connectionState;
      try {
        this.#pairs = pairsIn(await client.pc.getStats());
      } catch {
        // It is closed meanwhile: those of before are shown.
      }
    }
    const ended = active ? '' : 'The connection has ended; these were its last pairs. ';
    const words = this.#pairs.length || active ? explainPairs(this.#pairs, state) : '';
    const text = this.#pairs.length ? ended + words : words || 'There was no connection yet.';
    if (this.#words.textContent !== text) this.#words.textContent = text;
    writeRows(this.#body, this.#pairs.map(rowOf), LABELS);
    write('pairs-brief', this.#pairs.length === 1 ? '1 pair' : `${this.#pairs.length} pairs`);
  }
}
