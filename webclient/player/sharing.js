/**
 * The dialog with the link and the code for other pages.
 *
 * @module
 */

import { wireCopyButton } from '../ui/clipboard.js';
import { $, announce } from '../ui/dom.js';
import { embedCode } from '../ui/embed-code.js';

/** @param {string} title */
export function wireSharing(title) {
  const path = title.replaceAll(' ', '');
  // What the page's own address says is right behind any proxy.
  $('share-link').value = new URL(`watch/${path}`, document.baseURI).href;
  $('share-code').value = embedCode(path, title);
  $('show-share').addEventListener('click', () => $('share').showModal());
  for (const button of $('share').querySelectorAll('.copy')) {
    wireCopyButton(button, () => $(button.dataset.source).value, announce);
  }
}
