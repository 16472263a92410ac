/**
 * The selection of a layer of a simulcast. Writes to the document.
 *
 * @module
 */

import { $, make } from '../ui/dom.js';
import { formatSize } from '../media/media-words.js';

/**
 * @param {import('../resources/streams-api.js').LiveStream|null} live
 * @returns {[string, string][]} Values and texts; the first lets the server choose.
 */
function optionsOf(live) {
  const layers = live?.tracks.find(({ kind }) => kind === 'video')?.layers ?? [];
  const named = layers.filter(({ rid }) => rid !== null);
  named.sort((a, b) => (b.width ?? 0) - (a.width ?? 0));
  const textOf = ({ rid, width, height }) =>
    width ? `${rid}, ${formatSize(width, height)}` : rid;
  return [['', 'Auto'], ...named.map((layer) => [layer.rid, textOf(layer)])];
}

/**
 * Shows the selection if there are several layers. Unchanged options are not touched,
 * because the list may be open.
 *
 * @param {import('../resources/streams-api.js').LiveStream|null} live
 * @param {string} chosen The rid of the selected layer; empty: the server chooses.
 */
export function showLayerChoice(live, chosen) {
  const select = $('watch-layer');
  const options = optionsOf(live);
  if (!options.some(([rid]) => rid === chosen)) options.push([chosen, chosen]);
  $('layer-choice').hidden = options.length < 3 && !chosen;
  options.forEach(([value, text], i) => {
    const option = select.options[i] ?? select.appendChild(make('option'));
    if (option.value !== value) option.value = value;
    if (option.text !== text) option.text = text;
  });
  select.length = options.length;
  if (select.value !== chosen) select.value = chosen;
}
