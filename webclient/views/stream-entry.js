/**
 * An entry for one stream in the Streams view.
 *
 * @module
 */

import { wireCopyButton } from '../ui/clipboard.js';
import { announce, make, writeRows } from '../ui/dom.js';
import { embedCode } from '../ui/embed-code.js';
import { describeRefusal } from './recording-words.js';
import {
  describeViewers,
  formatBitrate,
  formatCodec,
  formatDuration,
  formatFrameRate,
  formatShare,
  formatSize,
  lossOf,
} from '../media/media-words.js';
import { RecordingControl } from './recording-control.js';
import { endpointOf, watchPageOf } from '../ui/settings.js';
import { ShareControl } from './share-control.js';
import { stopPublisher } from '../resources/streams-api.js';
import { StreamHealth } from './stream-health.js';
import { StreamTrends } from './stream-trends.js';
import { Thumbnail } from './thumbnail.js';

/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

const COLUMNS = ['Track', 'Codec', 'Picture', 'Bitrate', 'Loss'];

/**
 * @param {LiveStream} stream
 * @returns {string[][]} A row for each encoding: video first, the largest first.
 */
function rowsOf({ tracks }) {
  const ordered = [...tracks].sort((a, b) => b.kind.localeCompare(a.kind));
  return ordered.flatMap(({ kind, layers }) => {
    const name = kind === 'video' ? 'Video' : 'Audio';
    if (!layers.length) return [[name, 'nothing yet', '', '', '']];
    const bySize = [...layers].sort((a, b) => (b.width ?? 0) - (a.width ?? 0));
    return bySize.map((encoding) => [
      encoding.rid === null ? name : `${name} ${encoding.rid}`,
      formatCodec(encoding.codec),
      kind === 'video'
        ? `${formatSize(encoding.width, encoding.height)}, ${formatFrameRate(encoding.frame_rate)}`
        : '',
      formatBitrate(encoding.bitrate),
      formatShare(lossOf(encoding)),
    ]);
  });
}

/** @param {string} name @returns {HTMLTableElement} A table for the tracks of a stream. */
function makeTable(name) {
  const heads = COLUMNS.map((text) => make('th', { scope: 'col', textContent: text }));
  const caption = make('caption', { className: 'visually-hidden' }, `Tracks of ${name}`);
  const head = make('thead', {}, make('tr', {}, ...heads));
  return make('table', { className: 'tracks' }, caption, head, make('tbody'));
}

/** @param {string} name @returns {HTMLElement} A link to the stream. */
function makeWatchLink(name) {
  // This page may be on air.
  const properties = { href: watchPageOf(name), target: '_blank', rel: 'noopener' };
  const watch = make('a', properties, 'Watch');
  watch.setAttribute('aria-label', `Watch ${name}`);
  return watch;
}

/** @param {string} text @param {string} link @param {string} what */
function makeCopyButton(text, link, what) {
  const button = make('button', { type: 'button', className: 'quiet small' }, text);
  button.dataset.what = what;
  wireCopyButton(button, () => link, announce);
  return button;
}

export class StreamEntry {
  /** @type {HTMLElement} */ element;
  /** @type {Thumbnail} */ thumbnail;
  /** @type {RecordingControl} */ #recording;
  /** The address of the page, and the code that embeds it: enough where viewers need no
   * token. @type {HTMLElement[]} */
  #addresses;
  /** @type {ShareControl} */ #share;
  #since = make('p', { className: 'note since' });
  #trends = new StreamTrends();
  #health = new StreamHealth();
  #problem = make('p', { className: 'field-problem' });
  /** @type {HTMLTableElement} */ #table;
  /** @type {string} */ #name;
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;

  /**
   * @param {string} name
   * @param {() => string} token
   * @param {() => void} changed Called when its recording was started or stopped, or its
   *   publisher was stopped.
   */
  constructor(name, token, changed) {
    this.#name = name;
    this.#token = token;
    this.#changed = changed;
    this.#problem.setAttribute('role', 'alert');
    this.thumbnail = new Thumbnail(name);
    this.#recording = new RecordingControl(name, token, changed);
    this.#table = makeTable(name);
    const facts = make(
      'details',
      { className: 'stream-tracks' },
      make('summary', {}, 'Tracks'),
      this.#table,
    );
    this.#share = new ShareControl(name, token);
    const code = makeCopyButton('Copy embed code', embedCode(name, name), `Embed code of ${name}`);
    code.title = 'Pages of other sites may show it if the server’s setting embed_origins names them';
    this.#addresses = [
      makeCopyButton('Copy link for viewers', watchPageOf(name), `Link for viewers of ${name}`),
      code,
    ];
    const links = make(
      'p',
      { className: 'stream-links' },
      makeWatchLink(name),
      ...this.#addresses,
      makeCopyButton('Copy link for OBS', endpointOf(name), `Link for OBS, to publish ${name}`),
    );
    this.element = make(
      'article',
      { className: 'stream' },
      this.thumbnail.element,
      make('h3', {}, name),
      this.#since,
      this.#trends.element,
      this.#health.element,
      links,
      this.#share.element,
      make('div', { className: 'stream-actions' }, this.#recording.element, this.#makeStop()),
      this.#problem,
      facts,
    );
  }

  #makeStop() {
    const stop = make('button', { type: 'button', className: 'quiet small' }, 'Stop publisher');
    stop.setAttribute('aria-label', `Stop the publisher of ${this.#name}`);
    stop.addEventListener('click', () => this.#stop());
    return stop;
  }

  async #stop() {
    const question = `Stop the publisher of ${this.#name}? Its viewers will wait for another.`;
    if (!window.confirm(question)) return;
    this.#problem.textContent = '';
    try {
      await stopPublisher(this.#name, this.#token());
      announce(`The publisher of ${this.#name} was stopped.`);
    } catch (error) {
      this.#problem.textContent = describeRefusal(error);
    }
    this.#changed();
  }

  /**
   * @param {LiveStream} stream
   * @param {boolean} recordable Whether the server can record.
   */
  show(stream, recordable) {
    const state = stream.state === 'connected' ? '' : `, ${stream.state}`;
    const viewers = stream.viewers === undefined ? '' : `, ${describeViewers(stream.viewers)}`;
    this.#since.textContent = `Live for ${formatDuration(stream.duration)}${viewers}${state}`;
    for (const address of this.#addresses) address.hidden = Boolean(stream.shareable);
    this.#share.element.hidden = !stream.shareable;
    this.thumbnail.describe(stream);
    this.#recording.show(stream.recording, recordable);
    this.#trends.show(stream);
    this.#health.show(stream.health);
    writeRows(this.#table.tBodies[0], rowsOf(stream));
  }
}
