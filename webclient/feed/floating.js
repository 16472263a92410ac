/**
 * Reactions that float up over the picture and fade.
 *
 * @module
 */

import { make } from '../ui/dom.js';

/** Reactions at a time; of more, the others are left out. */
const MOST = 24;
/** Milliseconds that one is seen, and within which those of one message begin. */
const LIFE = 2600;
const SPREAD = 450;

export class Floating {
  /** @type {HTMLElement} */ element = make('div', { className: 'floating' });

  constructor() {
    this.element.setAttribute('aria-hidden', 'true');
  }

  /** @param {Record<string, number>} counts How many, by emoji. */
  show(counts) {
    if (document.hidden) return;
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (const [emoji, count] of Object.entries(counts)) {
      if (isStill) this.#add(count > 1 ? `${emoji} ${count}` : emoji, 0);
      else for (let i = 0; i < count; i += 1) this.#add(emoji, Math.random() * SPREAD);
    }
  }

  /** @param {string} text @param {number} delay Milliseconds. */
  #add(text, delay) {
    if (this.element.childElementCount >= MOST) return;
    const one = make('span', {}, text);
    one.style.left = `${Math.round(5 + 85 * Math.random())}%`;
    one.style.animationDelay = `${Math.round(delay)}ms`;
    this.element.append(one);
    setTimeout(() => one.remove(), LIFE + delay);
  }
}
