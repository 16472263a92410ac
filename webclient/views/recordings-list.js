/**
 * The list of recordings on the server, with links to download them, and buttons to
 * delete them.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { KeyedList } from '../ui/keyed-list.js';
import { Poll } from '../ui/poll.js';
import { describeFile, describeRefusal } from './recording-words.js';
import { deleteRecording, downloadOf, fetchRecordings } from '../resources/recordings-api.js';

/** @typedef {import('../resources/recordings-api.js').RecordedFile} RecordedFile */

/** Milliseconds between updates. */
const PERIOD = 5000;

class Entry {
  #link;
  #delete = make('button', { type: 'button', className: 'quiet small' }, 'Delete');
  #facts = make('span', { className: 'note' });

  /** @param {string} file @param {(file: string) => void} onDelete */
  constructor(file, onDelete) {
    // A long name breaks at its parts.
    const parts = file.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);
    this.#link = make('a', { download: file }, ...parts);
    this.#link.setAttribute('aria-label', `Download ${file}`);
    this.#delete.setAttribute('aria-label', `Delete ${file}`);
    this.#delete.addEventListener('click', () => onDelete(file));
    this.element = make('li', {}, this.#link, this.#delete, this.#facts);
  }

  /** @param {RecordedFile} recorded */
  show(recorded) {
    this.#link.href = downloadOf(recorded);
    this.#delete.hidden = recorded.state === 'recording';
    this.#facts.title = recorded.started;
    const facts = describeFile(recorded);
    if (this.#facts.textContent !== facts) this.#facts.textContent = facts;
  }
}

/** @param {RecordedFile[]} recordings @param {boolean} more @returns {string} */
function describeAll({ length }, more) {
  if (!length) return 'Nothing has been recorded yet.';
  if (more) return `The newest ${length} files.`;
  return length === 1 ? '1 file.' : `${length} files.`;
}

export class RecordingsList {
  /** Whether the server can record; true while unknown. */
  isPossible = true;
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;
  #poll = new Poll(() => this.#update(), PERIOD);
  /** @type {KeyedList<Entry>} */
  #list = new KeyedList(
    $('recordings-list'),
    (file) => new Entry(file, (name) => this.#delete(name)),
  );
  /** The server's reason why a file was not deleted. */
  #refusal = '';
  /** The number of pages shown. */
  #pages = 1;
  /** The number of the last request: a response to an earlier one is ignored. */
  #asked = 0;

  /**
   * @param {() => string} token
   * @param {() => void} changed Called when `isPossible` changes.
   */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
    $('recordings-more').addEventListener('click', () => {
      this.#pages += 1;
      this.start();
    });
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
      const found = await fetchRecordings(this.#token(), this.#pages);
      if (asked === this.#asked) this.#show(found);
    } catch (error) {
      if (asked !== this.#asked) return;
      write('recordings-problem', describeRefusal(error));
      write('recordings-note', '');
      $('recordings-more').hidden = true;
      this.#list.show([]);
    }
  }

  /** @param {string} file */
  async #delete(file) {
    if (!window.confirm(`Delete ${file}? It cannot be restored.`)) return;
    this.#refusal = '';
    try {
      await deleteRecording(file, this.#token());
    } catch (error) {
      this.#refusal = describeRefusal(error);
      write('recordings-problem', this.#refusal);
      return;
    }
    announce(`${file} was deleted.`);
    // The button that had the focus goes.
    $('recordings-heading').focus();
    this.start();
  }

  /** @param {import('../resources/recordings-api.js').Recordings} found */
  #show({ enabled, recordings, more }) {
    write('recordings-problem', this.#refusal);
    const nothing = 'Recording is not set up on this server.';
    write('recordings-note', enabled ? describeAll(recordings, more) : nothing);
    $('recordings-more').hidden = !more;
    $('recordings-hint').hidden = enabled;
    const entries = this.#list.show(recordings.map(({ file }) => file));
    entries.forEach((entry, i) => entry.show(recordings[i]));
    if (enabled === this.isPossible) return;
    this.isPossible = enabled;
    this.#changed();
  }
}
