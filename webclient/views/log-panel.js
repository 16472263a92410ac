/**
 * The latest pings, one by one.
 *
 * @module
 */

import { $, make } from '../ui/dom.js';
import { formatMs } from '../ping/rtt-statistics.js';

/** @typedef {import('../ping/rtt-statistics.js').Sample} Sample */

/** The pings that are shown. */
const SHOWN = 100;

/** @param {Sample} sample @returns {string} */
export function describeSample({ sequence, rtt, late }) {
  if (rtt !== null) return `${sequence}: ${formatMs(rtt)}`;
  if (late !== undefined) return `${sequence}: late, after ${formatMs(late)}`;
  return `${sequence}: lost`;
}

export class LogPanel {
  #list = make('ol', { className: 'log', id: 'log-list', tabIndex: 0 });
  /** @type {() => Sample[]} */ #recent;

  /** @param {(count: number) => Sample[]} recent The latest pings, oldest first. */
  constructor(recent) {
    this.#recent = () => recent(SHOWN);
    this.#list.setAttribute('aria-label', 'The latest pings, newest first');
    $('log-body').replaceChildren(this.#list);
    $('log').addEventListener('toggle', () => this.show());
    this.show();
  }

  /** Shows them, if anybody can see it. */
  show() {
    if (!$('log').open) return;
    const items = this.#recent().reverse().map((sample) =>
      make('li', { className: sample.rtt === null ? 'is-lost' : '' }, describeSample(sample)),
    );
    this.#list.replaceChildren(...items);
  }
}
