/**
 * A list of keyed items. Items that stay are not touched when others are added or
 * removed, so that focus and selection are kept.
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

  /** @returns {T[]} In the order shown. */
  get items() {
    return [...this.#items.values()];
  }

  /**
   * Shows exactly the items with these keys, in this order.
   *
   * @param {string[]} keys
   * @returns {T[]}
   */
  show(keys) {
    const wanted = new Set(keys);
    for (const [key, { element }] of this.#items) {
      if (!wanted.has(key)) element.remove();
    }
    this.#items = new Map(keys.map((key) => [key, this.#items.get(key) ?? this.#make(key)]));
    this.items.forEach(({ element }, i) => {
      const { children } = this.#list;
      if (children[i] !== element) this.#list.insertBefore(element, children[i] ?? null);
    });
    return this.items;
  }
}
