/**
 * The latest picture of a stream, small.
 *
 * @module
 */

import { make } from './dom.js';
import { watchPageOf } from './settings.js';
import { fetchPicture } from './streams-api.js';

/** Milliseconds from one picture to the next. */
const PERIOD = 10_000;
/** Pixels of its longer side. */
const LARGEST = 640;

export class Thumbnail {
  /** A link, for the mouse only: the stream has another one, with words.
   * @type {HTMLAnchorElement} */ element;
  /** @type {string} */ #name;
  /** Stands where there is no picture. */
  #note = make('span', { className: 'note' });
  /** @type {HTMLCanvasElement} */ #canvas = make('canvas');
  #hasPictures = false;
  /** When a picture was asked for. */
  asked = -Infinity;

  /** @param {string} name Of the stream. */
  constructor(name) {
    this.#name = name;
    const properties = { className: 'thumbnail', href: watchPageOf(name), tabIndex: -1 };
    this.element = make('a', properties, this.#note);
    this.element.setAttribute('aria-hidden', 'true');
  }

  /** Whether it is looked at, and a later picture may be had. */
  get isDue() {
    const { top, bottom } = this.element.getBoundingClientRect();
    const inSight = bottom > 0 && top < innerHeight;
    return this.#hasPictures && inSight && performance.now() - this.asked > PERIOD;
  }

  /** @param {import('./streams-api.js').LiveStream} stream What the server says of it. */
  describe({ tracks }) {
    const video = tracks.filter(({ kind }) => kind === 'video');
    // Of a publisher that has just gone the server would wait for a key frame in vain.
    const comes = (layer) => layer.key_frames && layer.frame_rate;
    this.#hasPictures = video.some(({ layers }) => layers.some(comes));
    const text = video.length ? 'No picture yet' : 'Sound only';
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }

  /**
   * Shows a later picture; when there is none now, the last one stays.
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
