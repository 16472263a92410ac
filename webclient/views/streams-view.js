/**
 * The Streams view: live streams and recordings, updated repeatedly.
 *
 * @module
 */

import { $, write } from '../ui/dom.js';
import { FindField } from '../ui/find-field.js';
import { KeyedList } from '../ui/keyed-list.js';
import { Poll } from '../ui/poll.js';
import { explain, wantsToken } from '../link/problems.js';
import { RecordingsList } from './recordings-list.js';
import { StreamEntry } from './stream-entry.js';
import { endpointOf } from '../ui/settings.js';
import { fetchStreams } from '../resources/streams-api.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/settings.js').Settings} Settings */
/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

/** Milliseconds between updates. */
const PERIOD = 2000;
/** ... and between checks for pictures to renew. */
const PICTURE_PERIOD = 500;
/** Milliseconds for which the list is shown while the server does not answer: a network
 * that was away for a moment costs no graph. */
const PATIENCE = 15_000;
/** Pictures requested at once: browsers have few connections to a server. */
const PICTURES_AT_ONCE = 3;

export class StreamsView {
  title = 'Whipbird streams';
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#update(), PERIOD);
  #picturePoll = new Poll(() => this.#renewPictures(), PICTURE_PERIOD);
  /** @type {KeyedList<StreamEntry>} */ #list;
  /** @type {RecordingsList} */ #recordings;
  /** @type {LiveStream[]} */ #streams = [];
  #findField = new FindField('streams-find', () => {
    this.#find();
    this.#describe();
  });
  /** The number of pictures being requested. */
  #picturesAsked = 0;
  /** The files being written, in one text. */
  #written = '';
  /** The number of the last request: a response to an earlier one is ignored. */
  #asked = 0;
  /** When the server last told the streams. */
  #told = -Infinity;
  /** Whether the list needs another token. */
  #wantsToken = false;
  #inFront = false;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    const token = () => settings.token;
    this.#recordings = new RecordingsList(token, () => {
      this.#showTokenForm();
      this.#show(this.#streams);
    });
    this.#list = new KeyedList(
      $('streams-list'),
      (name) => new StreamEntry(name, token, () => this.refresh()),
    );
  }

  enter() {
    this.#inFront = true;
    $('streams-problem').after($('token-prompt'));
    write('streams-endpoint', endpointOf('mystream'));
    this.#linkView.show(null, null);
    const answers = [this.#poll.start(), this.#recordings.start()];
    // What is below the list is shown when its place is known.
    Promise.all(answers).then(() => $('streams-view').classList.remove('is-asking'));
    this.#picturePoll.start();
  }

  leave() {
    this.#inFront = false;
    $('token-prompt').hidden = true;
    this.#poll.stop();
    this.#picturePoll.stop();
    this.#recordings.stop();
  }

  /** Tries again with another token. */
  tryNow() {
    // The field that had the focus goes.
    $('streams-view').querySelector('h1').focus();
    this.refresh();
  }

  #showTokenForm() {
    if (!this.#inFront) return;
    $('token-prompt').hidden = !this.#wantsToken && !this.#recordings.wantsToken;
  }

  /** Updates the view at once, if it is shown. */
  refresh() {
    if (!this.#inFront) return;
    this.#poll.start();
    this.#recordings.start();
  }

  async #update() {
    if (document.hidden) return;
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const streams = await fetchStreams(this.#settings.token);
      if (asked !== this.#asked) return;
      this.#told = performance.now();
      write('streams-problem', '');
      $('streams-empty').hidden = streams.length > 0;
      this.#wantsToken = false;
      this.#showTokenForm();
      this.#show(streams);
      this.#describe();
    } catch (error) {
      if (asked !== this.#asked) return;
      const { title, text } = explain(error);
      write('streams-problem', `${title}. ${text} This page goes on asking.`);
      $('streams-empty').hidden = true;
      this.#wantsToken = wantsToken(error);
      this.#showTokenForm();
      const isOutdated = performance.now() - this.#told > PATIENCE;
      if (this.#wantsToken || isOutdated) this.#show([]);
      write('streams-note', this.#streams.length ? 'These were live a moment ago:' : '');
    }
  }

  /** @param {LiveStream[]} streams */
  #show(streams) {
    this.#streams = streams;
    const entries = this.#list.show(streams.map(({ name }) => name));
    entries.forEach((entry, i) => entry.show(streams[i], this.#recordings.isPossible));
    this.#find();
    const written = streams.map(({ recording }) => recording?.file ?? '').join(' ');
    if (written === this.#written) return;
    this.#written = written;
    if (this.#inFront) this.#recordings.start();
  }

  /** Shows those streams whose name has in it what was entered. */
  #find() {
    this.#findField.show(this.#streams.length);
    const text = this.#findField.text.toLowerCase();
    this.#list.items.forEach(({ element }, i) => {
      element.hidden = !this.#streams[i].name.toLowerCase().includes(text);
    });
  }

  #describe() {
    const count = this.#streams.length;
    const live = count === 1 ? '1 stream is live.' : `${count} streams are live.`;
    const shown = this.#list.items.filter(({ element }) => !element.hidden).length;
    const found = shown < count ? ` ${shown || 'None'} of them ${shown === 1 ? 'is' : 'are'} shown.` : '';
    write('streams-note', count ? live + found : 'Nothing is live now.');
  }

  /** Requests pictures, without waiting: the server may have to wait for key frames. */
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
