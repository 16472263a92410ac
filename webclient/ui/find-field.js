/**
 * A field to find some of a long list.
 *
 * @module
 */

import { $ } from './dom.js';

/** Items that can be overlooked: with more of them there is a field to find one. */
const FEW = 9;

export class FindField {
  /** @type {HTMLInputElement} */ #field;
  /** @type {HTMLElement} */ #line;

  /**
   * @param {string} id That of the field; the line it is in has `-line` at its end.
   * @param {() => void} changed Called when `text` is another one.
   */
  constructor(id, changed) {
    this.#field = $(id);
    this.#line = $(`${id}-line`);
    this.#field.addEventListener('input', changed);
  }

  /** What is to be found; empty: everything. */
  get text() {
    return this.#field.value.trim();
  }

  /** Shows the field, if it helps. @param {number} count The items in all. */
  show(count) {
    // It does not go while somebody types.
    const isUsed = this.text !== '' || document.activeElement === this.#field;
    this.#line.hidden = count <= FEW && !isUsed;
  }

  hide() {
    this.#line.hidden = true;
  }
}
