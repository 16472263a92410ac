/**
 * The recordings on the server: each is played here, its files downloaded, or deleted.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { KeyedList } from '../ui/keyed-list.js';
import { Poll } from '../ui/poll.js';
import { wantsToken } from '../link/problems.js';
import { ArmedList } from './armed-list.js';
import { RecordingPlayer } from './recording-player.js';
import { describeFiles, describeRefusal } from './recording-words.js';
import {
  deleteRecording,
  downloadOf,
  fetchRecordings,
  recordingsOf,
} from '../resources/recordings-api.js';

/** @typedef {import('../resources/recordings-api.js').RecordedFile} RecordedFile */

/** Milliseconds between updates. */
const PERIOD = 5000;

/** A link to a file. */
class FileLink {
  /** @param {string} file */
  constructor(file) {
    // A long name breaks at its parts.
    const parts = file.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);
    this.link = make('a', { download: file }, ...parts);
    this.link.setAttribute('aria-label', `Download ${file}`);
    this.element = make('li', {}, this.link);
  }
}

/** A recording: all its files. */
class Entry {
  /** @type {HTMLElement} */ #name = make('strong');
  #facts = make('span', { className: 'note' });
  #play = make('button', { type: 'button', className: 'quiet small' }, 'Play');
  #delete = make('button', { type: 'button', className: 'quiet small' }, 'Delete');
  /** @type {HTMLElement} */ #files = make('ul', { className: 'files' });
  /** @type {KeyedList<FileLink>} */
  #links = new KeyedList(this.#files, (file) => new FileLink(file));
  /** @type {RecordedFile[]} */ #recording = [];

  /**
   * @param {(title: string, files: RecordedFile[]) => void} onPlay
   * @param {(files: RecordedFile[]) => void} onDelete
   */
  constructor(onPlay, onDelete) {
    this.#play.addEventListener('click', () => onPlay(this.#title, this.#ended));
    this.#delete.addEventListener('click', () => onDelete(this.#recording));
    const about = make('p', { className: 'about' }, this.#name, ' ', this.#facts);
    this.element = make('li', {}, about, this.#play, this.#delete, this.#files);
  }

  /** @returns {RecordedFile[]} */
  get #ended() {
    return this.#recording.filter(({ state }) => state === 'ended');
  }

  get #title() {
    return `${this.#name.textContent}, ${this.#facts.textContent}`;
  }

  /** @param {RecordedFile[]} files */
  show(files) {
    this.#recording = files;
    const [{ stream, started }] = files;
    const names = files.map(({ file }) => file);
    const whole = names.length > 1 ? `${names.length} files of ${stream}` : names[0];
    if (this.#name.textContent !== stream) this.#name.textContent = stream;
    this.#play.setAttribute('aria-label', `Play ${whole}`);
    this.#delete.setAttribute('aria-label', `Delete ${whole}`);
    this.#play.hidden = !this.#ended.length;
    this.#delete.hidden = files.some(({ state }) => state === 'recording');
    this.#facts.title = started;
    const facts = describeFiles(files);
    if (this.#facts.textContent !== facts) this.#facts.textContent = facts;
    this.#links.show(names).forEach(({ link }, i) => (link.href = downloadOf(files[i])));
  }
}

/** @param {number} count @param {boolean} more @returns {string} */
function describeAll(count, more) {
  if (!count) return 'Nothing has been recorded yet. Live streams above have a Record button.';
  if (more) return count === 1 ? 'The newest recording.' : `The newest ${count} recordings.`;
  return count === 1 ? '1 recording.' : `${count} recordings.`;
}

export class RecordingsList {
  /** Whether the server can record; true while unknown. */
  isPossible = true;
  /** Whether the list needs another token. */
  wantsToken = false;
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;
  #poll = new Poll(() => this.#update(), PERIOD);
  #player = new RecordingPlayer();
  /** @type {ArmedList} */ #armed;
  /** @type {KeyedList<Entry>} */
  #list = new KeyedList(
    $('recordings-list'),
    () =>
      new Entry(
        (title, files) => this.#player.open(title, files),
        (files) => this.#delete(files),
      ),
  );
  /** The server's reason why a file was not deleted. */
  #refusal = '';
  /** The number of pages shown. */
  #pages = 1;
  /** The number of the last request: a response to an earlier one is ignored. */
  #asked = 0;

  /**
   * @param {() => string} token
   * @param {() => void} changed Called when `isPossible` or `wantsToken` changes.
   */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
    this.#armed = new ArmedList(token, () => this.start());
    $('recordings-more').addEventListener('click', () => {
      this.#pages += 1;
      this.start();
    });
  }

  /** Updates the list now, and then repeatedly; resolves after the first time. */
  start() {
    return this.#poll.start();
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
      this.#armed.show([]);
      this.#know(this.isPossible, wantsToken(error));
    }
  }

  /** @param {RecordedFile[]} files */
  async #delete(files) {
    const [{ file, stream }] = files;
    const many = `all ${files.length} files of this recording of ${stream}? They`;
    const what = files.length > 1 ? many : `${file}? It`;
    if (!window.confirm(`Delete ${what} cannot be restored.`)) return;
    this.#refusal = '';
    try {
      for (const each of files) await deleteRecording(each.file, this.#token());
    } catch (error) {
      this.#refusal = describeRefusal(error);
      write('recordings-problem', this.#refusal);
      this.start();
      return;
    }
    announce(files.length > 1 ? 'The files were deleted.' : `${file} was deleted.`);
    // The button that had the focus goes.
    $('recordings-heading').focus();
    this.start();
  }

  /** @param {import('../resources/recordings-api.js').Recordings} found */
  #show({ enabled, recordings, armed, more }) {
    const found = recordingsOf(recordings);
    write('recordings-problem', this.#refusal);
    const nothing = 'Recording is not set up on this server.';
    write('recordings-note', enabled ? describeAll(found.length, more) : nothing);
    $('recordings-more').hidden = !more;
    $('recordings-hint').hidden = enabled;
    this.#armed.show(armed);
    const entries = this.#list.show(found.map(([{ file }]) => file));
    entries.forEach((entry, i) => entry.show(found[i]));
    this.#know(enabled, false);
  }

  /** @param {boolean} isPossible @param {boolean} asksForToken */
  #know(isPossible, asksForToken) {
    if (isPossible === this.isPossible && asksForToken === this.wantsToken) return;
    this.isPossible = isPossible;
    this.wantsToken = asksForToken;
    this.#changed();
  }
}
