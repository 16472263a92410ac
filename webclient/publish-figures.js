/**
 * What is sent beside what the server receives: a table for each layer.
 *
 * @module
 */

import { $, make, writeRows } from './dom.js';
import {
  UNKNOWN,
  formatBitrate,
  formatCodec,
  formatFrameRate,
  formatRtt,
  formatShare,
  formatSize,
  lossOf,
} from './media-words.js';

/** @typedef {import('./outgoing-statistics.js').SentLayer} SentLayer */
/** @typedef {import('./streams-api.js').LiveStream} LiveStream */
/** @typedef {import('./streams-api.js').ReceivedLayer} ReceivedLayer */

const LIMITS = {
  none: 'nothing',
  cpu: 'this device',
  bandwidth: 'the network',
  other: 'something else',
};

/**
 * @param {SentLayer} sent
 * @param {ReceivedLayer|undefined} received
 * @returns {string[][]} Name, sent, received.
 */
function rowsOf(sent, received) {
  const rows = [['Codec', formatCodec(sent.codec), formatCodec(received?.codec)]];
  if (sent.kind === 'video') {
    rows.push(
      [
        'Resolution',
        formatSize(sent.width, sent.height),
        formatSize(received?.width, received?.height),
      ],
      ['Frame rate', formatFrameRate(sent.frameRate), formatFrameRate(received?.frame_rate)],
    );
  }
  rows.push(
    ['Bitrate', formatBitrate(sent.bitrate), formatBitrate(received?.bitrate)],
    // Before repair, as RTCP reports it; and what was missing for good.
    ['Loss', formatShare(sent.loss), formatShare(received && lossOf(received))],
    ['Round trip', formatRtt(sent.rtt), ''],
  );
  if (sent.kind === 'video') rows.push(['Limited by', LIMITS[sent.limit] ?? UNKNOWN, '']);
  return rows;
}

/** @param {SentLayer} layer @returns {string} */
function titleOf({ kind, rid }) {
  if (kind === 'audio') return 'Audio';
  return rid === null ? 'Video' : `Video, layer ${rid}`;
}

/** The tables that there are, by the name of the layer. @type {Map<string, any>} */
const tables = new Map();

/** @param {string} title @returns {any} */
function makeTable(title) {
  const head = (text) => make('th', { scope: 'col', textContent: text });
  const row = make('tr', {}, make('td'), head('sent'), head('received'));
  const body = make('tbody');
  const table = make('table', { className: 'layer' }, make('caption', {}, title));
  table.append(make('thead', {}, row), body);
  $('layers').append(table);
  return table;
}

/**
 * @param {SentLayer[]} sent
 * @param {LiveStream|null} received
 */
export function showLayers(sent, received) {
  const titles = sent.map(titleOf);
  for (const [title, table] of tables) {
    if (titles.includes(title)) continue;
    table.remove();
    tables.delete(title);
  }
  sent.forEach((layer, i) => {
    const title = titles[i];
    if (!tables.has(title)) tables.set(title, makeTable(title));
    const track = received?.tracks.find(({ kind }) => kind === layer.kind);
    const match = track?.layers.find(({ rid }) => rid === layer.rid);
    writeRows(tables.get(title).tBodies[0], rowsOf(layer, match));
  });
  $('layers-empty').hidden = sent.length > 0;
}
