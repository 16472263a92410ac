/**
 * What in a stream will hurt its viewers, as the server finds it, and what to change.
 *
 * @module
 */

import { make } from '../ui/dom.js';

/** @typedef {import('../resources/streams-api.js').Finding} Finding */

/** The words before a finding, by its severity. */
const SEVERITIES = { problem: 'Problem', warning: 'Warning', note: 'Note' };

/**
 * @param {Finding} finding
 * @param {Finding[]} all
 * @returns {string} What it is about, where the text alone does not tell.
 */
function placeOf({ code, kind, rid }, all) {
  if (rid !== null) return ` (${kind} ${rid})`;
  return all.some((other) => other.code === code && other.kind !== kind) ? ` (${kind})` : '';
}

/** @param {Finding} finding @param {string} where @returns {HTMLElement} */
function makeFinding({ severity, text, advice }, where) {
  const word = SEVERITIES[severity] ?? severity;
  const rows = Object.entries(advice).flatMap(([program, change]) => [
    make('dt', {}, program === 'all' ? 'Anywhere' : program),
    make('dd', {}, change),
  ]);
  const change = make(
    'details',
    {},
    make('summary', {}, 'What to change'),
    make('dl', { className: 'advice' }, ...rows),
  );
  const said = make('p', {}, make('strong', {}, `${word}${where}: `), text);
  const item = make('li', {}, said, change);
  item.dataset.severity = severity;
  return item;
}

export class StreamHealth {
  /** @type {HTMLElement} */ element = make('ul', { className: 'health', hidden: true });
  /** What is shown: it is not touched while it is the same, or opened details would close. */
  #shown = '[]';

  /** @param {Finding[]} [findings] */
  show(findings = []) {
    // The figures in the texts change all the time.
    const found = JSON.stringify(findings.map(({ code, kind, rid }) => [code, kind, rid]));
    if (found === this.#shown) return;
    this.#shown = found;
    this.element.hidden = !findings.length;
    const items = findings.map((finding) => makeFinding(finding, placeOf(finding, findings)));
    this.element.replaceChildren(...items);
  }
}
