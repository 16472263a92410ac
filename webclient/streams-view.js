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
/** How many pictures are asked for at once: browsers have few connections to a server. */
const PICTURES_AT_ONCE = 3;

export class StreamsView {
  title = 'Whipbird streams';
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#look(), PERIOD);
  #picturePoll = new Poll(() => this.#renewPictures(), PICTURE_PERIOD);
  /** @type {KeyedList<StreamEntry>} */ #list;
  /** @type {RecordingsList} */ #recordings;
  /** @type {LiveStream[]} */ #streams = [];
  /** How many pictures are on their way. */
  #picturesAsked = 0;
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

  /** Not waited for: the server may wait for some of them. */
  async #renewPictures() {
    if (document.hidden) return;
    const due = this.#list.items.map(({ thumbnail }) => thumbnail).filter((t) => t.isDue);
    due.sort((a, b) => a.asked - b.asked);
    for (const thumbnail of due.slice(0, PICTURES_AT_ONCE - this.#picturesAsked)) {
      this.#picturesAsked += 1;
      thumbnail.renew(this.#settings.token).finally(() => {
        this.#picturesAsked -= 1;
      });
    }
  }
}
