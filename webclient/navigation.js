/**
 * Which view is in front: what stands behind the # of the address says it, as `#ping`,
 * `#publish`, `#publish/mystream` or `#streams`.
 *
 * @module
 */

import { $ } from './dom.js';

/**
 * @typedef {object} Place
 * @property {string} view
 * @property {string} stream Empty where none is named.
 */

/**
 * What each view needs to be shown by the page.
 *
 * @typedef {object} View
 * @property {string} title Of the document.
 * @property {(stream: string) => void} enter It comes to the front.
 * @property {() => void} leave
 */

/**
 * @param {string} hash As location.hash.
 * @param {string[]} views The names there are; the first is where one is by default.
 * @returns {Place}
 */
export function placeOf(hash, views) {
  const [view, ...rest] = hash.replace(/^#/, '').split('/');
  if (!views.includes(view)) return { view: views[0], stream: '' };
  let stream = rest.join('/');
  try {
    stream = decodeURIComponent(stream);
  } catch {
    // What is no escape stands for itself; it is no stream name either.
  }
  return { view, stream };
}

/**
 * Shows the view that the address names, now and whenever it changes.
 *
 * @param {Record<string, View>} views
 * @param {(view: string) => void} shown Called with the name of each that is shown.
 */
export function navigate(views, shown) {
  const names = Object.keys(views);
  /** @type {string|null} */ let front = null;
  const show = () => {
    const { view, stream } = placeOf(location.hash, names);
    const moved = front !== null && front !== view;
    if (moved) views[front].leave();
    front = view;
    document.title = views[view].title;
    for (const name of names) {
      $(`${name}-view`).hidden = name !== view;
      if (name === view) $(`${name}-link`).setAttribute('aria-current', 'page');
      else $(`${name}-link`).removeAttribute('aria-current');
    }
    shown(view);
    views[view].enter(stream);
    if (moved) {
      scrollTo(0, 0);
      // Screen readers tell where one is now, and the next Tab goes into it.
      $(`${view}-view`).querySelector('h1').focus({ preventScroll: true });
    }
  };
  addEventListener('hashchange', show);
  show();
}
