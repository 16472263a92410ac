/**
 * Makes links for viewers of a stream who have no token: a button, and how long the link
 * is good.
 *
 * @module
 */

import { reasonOf } from '../link/problems.js';
import { makeViewerLink } from '../resources/streams-api.js';
import { copyText } from '../ui/clipboard.js';
import { announce, make } from '../ui/dom.js';

/** Seconds, in words. @type {[number, string][]} */
const LIFETIMES = [
  [3600, 'for an hour'],
  [24 * 3600, 'for a day'],
  [7 * 24 * 3600, 'for a week'],
  [30 * 24 * 3600, 'for 30 days'],
];
const USUAL = 24 * 3600;

/** @param {string} time As RFC 3339 has it. @returns {string} */
function describeEnd(time) {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short' });
  return format.format(new Date(time));
}

export class ShareControl {
  /** @type {HTMLElement} */ element;
  /** @type {string} */ #name;
  /** @type {() => string} */ #token;
  #button = make('button', { type: 'button', className: 'quiet small' }, 'Copy link for viewers');
  /** @type {HTMLSelectElement} */ #lifetime;
  #note = make('p', { className: 'note' });
  #problem = make('p', { className: 'field-problem' });
  #asking = false;

  /**
   * @param {string} name The name of the stream.
   * @param {() => string} token
   */
  constructor(name, token) {
    this.#name = name;
    this.#token = token;
    const options = LIFETIMES.map(([value, words]) => make('option', { value }, words));
    this.#lifetime = make('select', { className: 'small' }, ...options);
    this.#lifetime.value = String(USUAL);
    this.#lifetime.setAttribute('aria-label', `How long the link to ${name} is good`);
    this.#button.setAttribute('aria-label', `Copy link for viewers of ${name}`);
    this.#problem.setAttribute('role', 'alert');
    this.#button.addEventListener('click', () => this.#press());
    const line = make('p', { className: 'share' }, this.#button, this.#lifetime);
    this.element = make('div', {}, line, this.#note, this.#problem);
  }

  async #press() {
    // The button is not disabled meanwhile: it would lose the focus.
    if (this.#asking) return;
    this.#asking = true;
    this.#problem.textContent = '';
    try {
      const made = makeViewerLink(this.#name, Number(this.#lifetime.value), this.#token());
      // Begun before the link is there: browsers let pages copy at a click only.
      const copied = await copyText(made.then(({ url }) => url));
      this.#show(await made, copied);
    } catch (error) {
      this.#note.replaceChildren();
      this.#problem.textContent = `There is no link. ${reasonOf(error)}`;
    } finally {
      this.#asking = false;
    }
  }

  /** @param {{url: string, expires: string}} link @param {boolean} copied */
  #show({ url, expires }, copied) {
    const end = `Whoever has it can watch until ${describeEnd(expires)}.`;
    const words = `${copied ? 'The link is copied.' : 'Select the link and copy it.'} ${end}`;
    const field = make('input', { type: 'text', readOnly: true, value: url });
    field.setAttribute('aria-label', `Link for viewers of ${this.#name}`);
    field.addEventListener('focus', () => field.select());
    this.#note.replaceChildren(words, ...(copied ? [] : [field]));
    announce(words);
  }
}
