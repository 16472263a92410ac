/**
 * Style sheets that are loaded when they are needed.
 *
 * The page has a template for each: what is in a template is not loaded.
 *
 * @module
 */

import { $ } from './dom.js';

/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/**
 * @param {string} id The id of the template.
 * @returns {Promise<void>} When the sheet is in force.
 * @throws When it cannot be loaded; another call tries again.
 */
export function addSheet(id) {
  if (!loading.has(id)) {
    const sheet = $(id).content.querySelector('link').cloneNode();
    const added = new Promise((resolve, reject) => {
      sheet.addEventListener('load', () => resolve(), { once: true });
      sheet.addEventListener('error', () => reject(new Error(sheet.href)), { once: true });
    });
    added.catch(() => {
      loading.delete(id);
      sheet.remove();
    });
    loading.set(id, added);
    document.head.append(sheet);
  }
  return loading.get(id);
}
