/**
 * A thumbnail of a stream.
 *
 * @module
 */

import { make } from '../ui/dom.js';
import { watchPageOf } from '../ui/settings.js';
import { fetchPicture } from '../resources/streams-api.js';

/** Milliseconds between pictures. */
const PERIOD = 10_000;
/** The longer side, in pixels. */
const LARGEST = 640;

export class Thumbnail {
  /** A link for the mouse only: the entry has another one, with text.
   * @type {HTMLAnchorElement} */ element;
  /** @type {string} */ #name;
  /** Shown if there is no picture. */
  #note = make('span', { className: 'note' });
  /** @type {HTMLCanvasElement} */ #canvas = make('canvas');
  #hasPictures = false;
  /** When the last picture was requested. */
  asked = -Infinity;

  /** @param {string} name The name of the stream. */
  constructor(name) {
    this.#name = name;
    const properties = {
      className: 'thumbnail',
      href: watchPageOf(name),
      // This page may be on air.
      target: '_blank',
      rel: 'noopener',
      tabIndex: -1,
    };
    this.element = make('a', properties, this.#note);
    this.element.setAttribute('aria-hidden', 'true');
  }

  /** Whether it is visible and its picture should be renewed. */
  get isDue() {
    const { top, bottom } = this.element.getBoundingClientRect();
    const inSight = bottom > 0 && top < innerHeight;
    return this.#hasPictures && inSight && performance.now() - this.asked > PERIOD;
  }

  /** @param {import('../resources/streams-api.js').LiveStream} stream */
  describe({ tracks }) {
    const video = tracks.filter(({ kind }) => kind === 'video');
    // If the publisher has just gone, the server would wait for a key frame for nothing.
    const isLive = (encoding) => encoding.key_frames && encoding.frame_rate;
    this.#hasPictures = video.some(({ layers }) => layers.some(isLive));
    const text = video.length ? 'No picture yet' : 'Sound only';
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }

  /**
   * Shows a new picture; if there is none now, the last one stays.
   *
   * @param {string} token
   */
  async renew(token) {
    this.asked = performance.now();
    const picture = await fetchPicture(this.#name, token);
    if (picture) this.#show(picture);
    picture?.close();
  }

  /** @param {ImageBitmap} picture */
  #show(picture) {
    const scale = Math.min(1, LARGEST / Math.max(picture.width, picture.height));
    this.#canvas.width = Math.max(1, Math.round(scale * picture.width));
    this.#canvas.height = Math.max(1, Math.round(scale * picture.height));
    const context = this.#canvas.getContext('2d', { alpha: false });
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
    this.element.replaceChildren(this.#canvas);
  }
}
