/**
 * The code with which other pages show streams.
 *
 * @module
 */

/**
 * @param {string} path The names of the streams, as in the path of their page.
 * @param {string} title
 * @returns {string} HTML.
 */
export function embedCode(path, title) {
  // What the page's own address says is right behind any proxy.
  const url = new URL(`embed/${path}`, document.baseURI).href;
  return (
    `<iframe src="${url}" title="${title}" width="640" height="360" frameborder="0" ` +
    'allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>'
  );
}
