/**
 * The list of recordings on the server, with download links.
 *
 * @module
 */

import { $, make, write } from './dom.js';
import { KeyedList } from './keyed-list.js';
import { Poll } from './poll.js';
import { describeFile, describeRefusal } from './recording-words.js';
import { downloadOf, fetchRecordings } from './recordings-api.js';

/** @typedef {import('./recordings-api.js').RecordedFile} RecordedFile */

/** Milliseconds between updates. */
const PERIOD = 5000;

class Entry {
  #link;
  #facts = make('span', { className: 'note' });

  /** @param {string} file */
  constructor(file) {
    this.#link = make('a', { download: file }, file);
    this.#link.setAttribute('aria-label', `Download ${file}`);
    this.element = make('li', {}, this.#link, this.#facts);
  }

  /** @param {RecordedFile} recorded */
  show(recorded) {
    this.#link.href = downloadOf(recorded);
    const facts = describeFile(recorded);
    if (this.#facts.textContent !== facts) this.#facts.textContent = facts;
  }
}

/** @param {RecordedFile[]} recordings @returns {string} */
function describeAll({ length }) {
  if (!length) return 'Nothing has been recorded yet.';
  return length === 1 ? '1 file.' : `${length} files.`;
}

export class RecordingsList {
  /** Whether the server can record; true while unknown. */
  isPossible = true;
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;
  #poll = new Poll(() => this.#update(), PERIOD);
  /** @type {KeyedList<Entry>} */
  #list = new KeyedList($('recordings-list'), (file) => new Entry(file));
  /** The number of the last request: a response to an earlier one is ignored. */
  #asked = 0;

  /**
   * @param {() => string} token
   * @param {() => void} changed Called when `isPossible` changes.
   */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
  }

  /** Updates the list now, and then repeatedly. */
  start() {
    this.#poll.start();
  }

  stop() {
    this.#poll.stop();
  }

  async #update() {
    if (document.hidden) return;
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const { enabled, recordings } = await fetchRecordings(this.#token());
      if (asked === this.#asked) this.#show(enabled, recordings);
    } catch (error) {
      if (asked !== this.#asked) return;
      write('recordings-problem', describeRefusal(error));
      write('recordings-note', '');
      this.#list.show([]);
    }
  }

  /** @param {boolean} enabled @param {RecordedFile[]} recordings */
  #show(enabled, recordings) {
    write('recordings-problem', '');
    const nothing = 'Recording is not set up on this server.';
    write('recordings-note', enabled ? describeAll(recordings) : nothing);
    $('recordings-hint').hidden = enabled;
    const entries = this.#list.show(recordings.map(({ file }) => file));
    entries.forEach((entry, i) => entry.show(recordings[i]));
    if (enabled === this.isPossible) return;
    this.isPossible = enabled;
    this.#changed();
  }
}
