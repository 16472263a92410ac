/**
 * Selects the view by the fragment of the URL: `#ping`, `#publish`, `#publish/mystream`
 * or `#streams`.
 *
 * @module
 */

import { $ } from './dom.js';

/**
 * @typedef {object} Place
 * @property {string} view
 * @property {string} stream Empty if none is named.
 * @property {string} [unknown] The name of a view that there is not.
 */

/**
 * The interface of a view.
 *
 * @typedef {object} View
 * @property {string} title The title of the document.
 * @property {(stream: string) => void} enter Called when the view is shown.
 * @property {() => void} leave
 */

/**
 * @param {string} hash As location.hash.
 * @param {string[]} views The names of the views; the first is the default.
 * @returns {Place}
 */
export function placeOf(hash, views) {
  const [view, ...rest] = hash.replace(/^#/, '').split('/');
  if (!views.includes(view)) return { view: views[0], stream: '', unknown: view };
  let stream = rest.join('/');
  try {
    stream = decodeURIComponent(stream);
  } catch {
    // A malformed escape is kept as it is; it is not a stream name anyway.
  }
  return { view, stream };
}

/**
 * Shows the view named in the URL, now and whenever the URL changes.
 *
 * @param {Record<string, View>} views
 * @param {(view: string, unknown: string) => void} shown Called with the name of the
 *   shown view, and that of the one that the URL names in vain, or an empty string.
 */
export function navigate(views, shown) {
  const names = Object.keys(views);
  /** @type {string|null} */ let front = null;
  const show = () => {
    const { view, stream, unknown = '' } = placeOf(location.hash, names);
    const moved = front !== null && front !== view;
    if (moved) views[front].leave();
    front = view;
    document.title = views[view].title;
    for (const name of names) {
      $(`${name}-view`).hidden = name !== view;
      if (name === view) $(`${name}-link`).setAttribute('aria-current', 'page');
      else $(`${name}-link`).removeAttribute('aria-current');
    }
    shown(view, unknown);
    views[view].enter(stream);
    if (moved) {
      scrollTo(0, 0);
      // Screen readers announce the heading, and the next Tab goes into the view.
      $(`${view}-view`).querySelector('h1').focus({ preventScroll: true });
    }
  };
  addEventListener('hashchange', show);
  show();
}
