/**
 * The Streams view: what is live, looked at again and again.
 *
 * @module
 */

import { wireCopyButton } from './clipboard.js';
import { $, announce, make, write, writeRows } from './dom.js';
import {
  formatBitrate,
  formatCodec,
  formatDuration,
  formatFrameRate,
  formatShare,
  formatSize,
  lossOf,
} from './media-words.js';
import { Poll } from './poll.js';
import { explain } from './problems.js';
import { endpointOf, watchPageOf } from './settings.js';
import { fetchStreams } from './streams-api.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./streams-api.js').LiveStream} LiveStream */

/** Milliseconds from one look to the next. */
const PERIOD = 2000;
const COLUMNS = ['Track', 'Codec', 'Picture', 'Bitrate', 'Loss'];

/**
 * @param {LiveStream} stream
 * @returns {string[][]} A row for each layer: video first, the largest layer first.
 */
function rowsOf({ tracks }) {
  const ordered = [...tracks].sort((a, b) => b.kind.localeCompare(a.kind));
  return ordered.flatMap(({ kind, layers }) => {
    const name = kind === 'video' ? 'Video' : 'Audio';
    if (!layers.length) return [[name, 'nothing yet', '', '', '']];
    const bySize = [...layers].sort((a, b) => (b.width ?? 0) - (a.width ?? 0));
    return bySize.map((layer) => [
      layer.rid === null ? name : `${name} ${layer.rid}`,
      formatCodec(layer.codec),
      kind === 'video'
        ? `${formatSize(layer.width, layer.height)}, ${formatFrameRate(layer.frame_rate)}`
        : '',
      formatBitrate(layer.bitrate),
      formatShare(lossOf(layer)),
    ]);
  });
}

/** @param {string} name @returns {any} The element of a stream. */
function makeStream(name) {
  const heads = COLUMNS.map((text) => make('th', { scope: 'col', textContent: text }));
  const caption = make('caption', { className: 'visually-hidden' }, `Tracks of ${name}`);
  const table = make('table', { className: 'tracks' }, caption);
  table.append(make('thead', {}, make('tr', {}, ...heads)), make('tbody'));
  return make(
    'article',
    { className: 'stream' },
    make('h3', {}, name),
    make('p', { className: 'note since' }),
    makeLinks(name),
    table,
  );
}

/** @param {string} name @returns {any} What leads to a stream. */
function makeLinks(name) {
  const watch = make('a', { href: watchPageOf(name) }, 'Watch');
  watch.setAttribute('aria-label', `Watch ${name}`);
  return make(
    'p',
    { className: 'stream-links' },
    watch,
    makeCopyButton('Copy link for viewers', watchPageOf(name), `Link for viewers of ${name}`),
    makeCopyButton('Copy link for OBS', endpointOf(name), `Link for OBS, to publish ${name}`),
  );
}

/** @param {string} text @param {string} link @param {string} what */
function makeCopyButton(text, link, what) {
  const button = make('button', { type: 'button', className: 'quiet small' }, text);
  button.dataset.what = what;
  wireCopyButton(button, () => link, announce);
  return button;
}

/** @param {number|undefined} count @returns {string} Goes on after the duration. */
function describeViewers(count) {
  if (count === undefined) return '';
  return count === 1 ? ', 1 viewer' : `, ${count} viewers`;
}

export class StreamsView {
  title = 'Whipbird streams';
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#look(), PERIOD);
  /** The elements that there are, by the name of the stream. @type {Map<string, any>} */
  #shown = new Map();
  #inFront = false;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
  }

  enter() {
    this.#inFront = true;
    this.#linkView.show(null, null);
    this.#poll.start();
  }

  leave() {
    this.#inFront = false;
    this.#poll.stop();
  }

  /** Looks at once, if it is in front. */
  refresh() {
    if (this.#inFront) this.#poll.start();
  }

  async #look() {
    if (document.hidden) return;
    try {
      const streams = await fetchStreams(this.#settings.token);
      const count = streams.length === 1 ? '1 stream is' : `${streams.length} streams are`;
      write('streams-problem', '');
      write('streams-note', streams.length ? `${count} live.` : 'Nothing is live now.');
      this.#show(streams);
    } catch (error) {
      const { title, text } = explain(error);
      write('streams-problem', `${title}. ${text} This page goes on asking.`);
      write('streams-note', '');
      // What was live before is no news any more.
      this.#show([]);
    }
  }

  /** @param {LiveStream[]} streams */
  #show(streams) {
    const names = streams.map(({ name }) => name);
    for (const [name, element] of this.#shown) {
      if (names.includes(name)) continue;
      element.remove();
      this.#shown.delete(name);
    }
    streams.forEach((stream, i) => {
      const list = $('streams-list');
      const element = this.#shown.get(stream.name) ?? makeStream(stream.name);
      this.#shown.set(stream.name, element);
      if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
      const state = stream.state === 'connected' ? '' : `, ${stream.state}`;
      const viewers = describeViewers(stream.viewers);
      const since = `Live for ${formatDuration(stream.duration)}${viewers}${state}`;
      element.querySelector('.since').textContent = since;
      writeRows(element.querySelector('tbody'), rowsOf(stream));
    });
  }
}
