/**
 * Takes the controls away while nobody uses them.
 *
 * @module
 */

import { $ } from '../ui/dom.js';

/** Milliseconds without a movement after which they go. */
const PATIENCE = 3000;

export class Curtain {
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  /** @type {() => boolean} */ #mayHide;

  /** @param {() => boolean} mayHide Whether there is something to see instead. */
  constructor(mayHide) {
    this.#mayHide = mayHide;
    const stage = $('stage');
    for (const type of ['pointermove', 'focusin', 'keydown']) {
      stage.addEventListener(type, (event) => {
        // A touch shows and hides them by its own click.
        if (event.pointerType !== 'touch') this.open();
      });
    }
    stage.addEventListener('pointerleave', () => this.#close());
    this.open();
  }

  /** Shows them for a while. */
  open() {
    $('stage').classList.remove('is-quiet');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#close(), PATIENCE);
  }

  toggle() {
    if ($('stage').classList.contains('is-quiet')) this.open();
    else this.#close();
  }

  #close() {
    clearTimeout(this.#timer);
    const isUsed =
      !$('stats').hidden || $('share').open || $('stage').querySelector('.bar :focus-visible');
    if (this.#mayHide() && !isUsed) $('stage').classList.add('is-quiet');
    else this.#timer = setTimeout(() => this.#close(), PATIENCE);
  }
}
