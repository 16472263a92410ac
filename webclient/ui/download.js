/**
 * Files that the page makes.
 *
 * @module
 */

/** Milliseconds after which the browser has taken the file. */
const KEPT = 10_000;

/**
 * Hands a file to the user.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement('a'), { href, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT);
}
