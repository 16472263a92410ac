/**
 * The Streams view: what is live and what has been recorded, looked at again and again.
 *
 * @module
 */

import { $, write } from './dom.js';
import { KeyedList } from './keyed-list.js';
import { Poll } from './poll.js';
import { explain } from './problems.js';
import { RecordingsList } from './recordings-list.js';
import { StreamEntry } from './stream-entry.js';
import { fetchStreams } from './streams-api.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./streams-api.js').LiveStream} LiveStream */

/** Milliseconds from one look to the next. */
const PERIOD = 2000;
/** ... and to the next for a picture that is to be renewed. */
const PICTURE_PERIOD = 500;

export class StreamsView {
  title = 'Whipbird streams';
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#look(), PERIOD);
  #picturePoll = new Poll(() => this.#renewPictures(), PICTURE_PERIOD);
  /** @type {KeyedList<StreamEntry>} */ #list;
  /** @type {RecordingsList} */ #recordings;
  /** @type {LiveStream[]} */ #streams = [];
  /** The files that are being written, in one text. */
  #written = '';
  /** Counts the questions: an answer is of use until the next one is asked. */
  #asked = 0;
  #inFront = false;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    const token = () => settings.token;
    this.#recordings = new RecordingsList(token, () => this.#show(this.#streams));
    this.#list = new KeyedList(
      $('streams-list'),
      (name) => new StreamEntry(name, token, () => this.refresh()),
    );
  }

  enter() {
    this.#inFront = true;
    this.#linkView.show(null, null);
    this.#poll.start();
    this.#picturePoll.start();
    this.#recordings.start();
  }

  leave() {
    this.#inFront = false;
    this.#poll.stop();
    this.#picturePoll.stop();
    this.#recordings.stop();
  }

  /** Looks at once, if it is in front. */
  refresh() {
    if (!this.#inFront) return;
    this.#poll.start();
    this.#recordings.start();
  }

  async #look() {
    if (document.hidden) return;
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const streams = await fetchStreams(this.#settings.token);
      if (asked !== this.#asked) return;
      const count = streams.length === 1 ? '1 stream is' : `${streams.length} streams are`;
      write('streams-problem', '');
      write('streams-note', streams.length ? `${count} live.` : 'Nothing is live now.');
      this.#show(streams);
    } catch (error) {
      if (asked !== this.#asked) return;
      const { title, text } = explain(error);
      write('streams-problem', `${title}. ${text} This page goes on asking.`);
      write('streams-note', '');
      // What was live before is no news any more.
      this.#show([]);
    }
  }

  /** @param {LiveStream[]} streams */
  #show(streams) {
    this.#streams = streams;
    const entries = this.#list.show(streams.map(({ name }) => name));
    entries.forEach((entry, i) => entry.show(streams[i], this.#recordings.isPossible));
    const written = streams.map(({ recording }) => recording?.file ?? '').join(' ');
    if (written === this.#written) return;
    this.#written = written;
    if (this.#inFront) this.#recordings.start();
  }

  /** One after another, so that nothing else has to wait for them. */
  async #renewPictures() {
    for (const { thumbnail } of this.#list.items) {
      if (document.hidden || !this.#inFront) return;
      if (thumbnail.isDue) await thumbnail.renew(this.#settings.token);
    }
  }
}
