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
 * @property {Promise<unknown>} [ready] Settles when all that the view shows at first has
 *   its place, so that nothing moves once it is visible.
 */

/** Milliseconds that a view may take for that. */
const READY_LIMIT = 1000;

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
 * @param {string[]} names The views; the first is the default.
 * @param {(name: string) => View|Promise<View>} viewOf Gets a view, loading it first if
 *   need be.
 * @param {(name: string, unknown: string) => void} shown Called with the name of the
 *   shown view, and that of the one that the URL names in vain, or an empty string.
 * @param {() => void} failed Called when a view cannot be loaded.
 */
export function navigate(names, viewOf, shown, failed) {
  const page = document.documentElement.classList;
  /** The view in front, once it is loaded. @type {View|null} */ let entered = null;
  /** The name of the last view that was in front. @type {string|null} */ let last = null;
  let changes = 0;

  /** @param {Promise<View>} loading @returns {Promise<View|null>} */
  const loaded = async (loading) => {
    page.add('is-loading');
    return loading.catch(() => null);
  };

  const show = async () => {
    const { view: name, stream, unknown = '' } = placeOf(location.hash, names);
    changes += 1;
    const change = changes;
    if (name !== last) {
      entered?.leave();
      entered = null;
    }
    for (const each of names) {
      $(`${each}-view`).hidden = each !== name;
      if (each === name) $(`${each}-link`).setAttribute('aria-current', 'page');
      else $(`${each}-link`).removeAttribute('aria-current');
    }
    shown(name, unknown);
    const found = viewOf(name);
    const view = found instanceof Promise ? await loaded(found) : found;
    // Meanwhile the user may have gone on to another one.
    if (change !== changes) return;
    if (!view) {
      $(`${name}-view`).hidden = true;
      page.remove('is-loading');
      failed();
      return;
    }
    const moved = last !== null && last !== name;
    entered = view;
    last = name;
    document.title = view.title;
    view.enter(stream);
    if (page.contains('is-loading')) {
      await Promise.race([view.ready, new Promise((done) => setTimeout(done, READY_LIMIT))]);
      if (change !== changes) return;
      page.remove('is-loading');
    }
    if (moved) {
      scrollTo(0, 0);
      // Screen readers announce the heading, and the next Tab goes into the view.
      $(`${name}-view`).querySelector('h1').focus({ preventScroll: true });
    }
  };
  addEventListener('hashchange', show);
  show();
}
