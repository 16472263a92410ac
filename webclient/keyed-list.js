/**
 * A list whose items come and go, while those that stay are left alone: who has
 * selected a part of one, or stands on one, stays there.
 *
 * @module
 */

/** @typedef {{element: HTMLElement}} Item */

/** @template {Item} T */
export class KeyedList {
  /** @type {HTMLElement} */ #list;
  /** @type {(key: string) => T} */ #make;
  /** @type {Map<string, T>} */ #items = new Map();

  /**
   * @param {HTMLElement} list
   * @param {(key: string) => T} make
   */
  constructor(list, make) {
    this.#list = list;
    this.#make = make;
  }

  /** @returns {T[]} In the order in which they stand. */
  get items() {
    return [...this.#items.values()];
  }

  /**
   * Shows these, in this order, and no others.
   *
   * @param {string[]} keys
   * @returns {T[]}
   */
  show(keys) {
    for (const [key, { element }] of this.#items) {
      if (!keys.includes(key)) element.remove();
    }
    this.#items = new Map(keys.map((key) => [key, this.#items.get(key) ?? this.#make(key)]));
    this.items.forEach(({ element }, i) => {
      const { children } = this.#list;
      if (children[i] !== element) this.#list.insertBefore(element, children[i] ?? null);
    });
    return this.items;
  }
}
