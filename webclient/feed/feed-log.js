/**
 * The list of messages and happenings, the newest last.
 *
 * @module
 */

import { make } from '../ui/dom.js';

/** Entries that are kept; older ones go. */
const MOST = 200;
/** Pixels from the end within which the newest entry is scrolled into view. */
const NEAR = 60;

/** The kinds of which only the last one counts, until somebody says something. */
const RENEWED = new Set(['viewers', 'picture']);

/** @param {Date} time @returns {HTMLTimeElement} */
function clock(time) {
  const text = time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return make('time', { dateTime: time.toISOString() }, text);
}

export class FeedLog {
  /** @type {HTMLElement} */ element = make('div', { className: 'feed-log', tabIndex: 0 });
  /** The words of the last happening of each kind, by stream. @type {Map<string, Element>} */
  #last = new Map();
  /** @type {boolean} */ #namesStreams;

  /** @param {boolean} namesStreams Whether each entry says which stream it is about. */
  constructor(namesStreams) {
    this.#namesStreams = namesStreams;
    this.element.setAttribute('role', 'log');
    this.element.setAttribute('aria-label', 'What was said and what has happened');
    // A number that changes is not read out each time.
    this.element.setAttribute('aria-relevant', 'additions');
  }

  /** @param {string} stream @param {import('./story.js').Happening} happening */
  addHappening(stream, { kind, text }) {
    const key = `${kind} ${stream}`;
    const known = this.#last.get(key);
    if (RENEWED.has(kind) && known && !this.#hasMessageBehind(known.parentElement)) {
      known.textContent = text;
      return;
    }
    const words = make('span', {}, text);
    const about = this.#about(stream);
    this.#add(make('p', { className: 'happening' }, clock(new Date()), ' ', about, ' ', words));
    this.#last.set(key, words);
  }

  /** @param {Element} entry @returns {boolean} Whether something was said since. */
  #hasMessageBehind(entry) {
    if (!entry.isConnected) return true;
    while ((entry = entry.nextElementSibling)) if (entry.className.includes('message')) return true;
    return false;
  }

  /** @param {string} stream @param {import('../media/chat.js').Heard} message */
  addMessage(stream, { name, text, time, from, isOwn }) {
    const about = this.#about(stream);
    // Text of strangers may run from right to left: it does not turn what is around it.
    const parts = [about, make('b', { dir: 'auto' }, name)];
    if (from === 'publisher') parts.push(make('span', { className: 'host' }, 'Host'));
    parts.push(clock(new Date(time)), make('span', { className: 'said', dir: 'auto' }, text));
    const spaced = parts.flatMap((part) => [part, ' ']);
    const entry = make('p', { className: 'message' }, ...spaced);
    entry.classList.toggle('is-own', Boolean(isOwn));
    this.#add(entry, isOwn);
  }

  /** @param {string} stream */
  #about(stream) {
    return this.#namesStreams ? make('span', { className: 'stream' }, stream) : '';
  }

  /** @param {HTMLElement} entry @param {boolean} [isWanted] Whether it is brought into view. */
  #add(entry, isWanted = false) {
    const { element } = this;
    const { scrollHeight, scrollTop, clientHeight } = element;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR;
    element.append(entry);
    if (element.childElementCount > MOST) element.firstElementChild.remove();
    if (isNear || isWanted) this.showNewest();
  }

  showNewest() {
    this.element.scrollTop = this.element.scrollHeight;
  }
}
