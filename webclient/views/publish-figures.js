/**
 * Shows what is sent and what the server receives: a table for each encoding.
 *
 * @module
 */

import { $, make, writeRows } from '../ui/dom.js';
import { shareOf } from '../media/encoding.js';
import {
  UNKNOWN,
  formatBitrate,
  formatCodec,
  formatFrameRate,
  formatRtt,
  formatShare,
  formatSize,
  lossOf,
} from '../media/media-words.js';

/** @typedef {import('../media/outgoing-statistics.js').SentEncoding} SentEncoding */
/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */
/** @typedef {import('../resources/streams-api.js').ReceivedEncoding} ReceivedEncoding */

const LIMITS = {
  none: 'nothing',
  cpu: 'this device',
  bandwidth: 'the network',
  other: 'something else',
};

/** An encoder that aims at this part of the bitrate limit could not have more. */
const NEAR_LIMIT = 0.9;

/**
 * @param {SentEncoding} sent
 * @param {number} bitrate The limit that the user has set, in bit/s.
 * @returns {string}
 */
function limitOf({ limit, target }, bitrate) {
  // Browsers call both "bandwidth".
  if (limit === 'bandwidth' && target !== null && target >= NEAR_LIMIT * bitrate) {
    return 'the bitrate limit set here';
  }
  return LIMITS[limit] ?? UNKNOWN;
}

/**
 * @param {SentEncoding} sent
 * @param {ReceivedEncoding|undefined} received
 * @param {number} bitrate The limit that the user has set, in bit/s.
 * @returns {string[][]} Name, sent, received.
 */
function rowsOf(sent, received, bitrate) {
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
    // Without retransmission, as RTCP reports it; and with it.
    ['Loss', formatShare(sent.loss), formatShare(received && lossOf(received))],
    ['Round trip', formatRtt(sent.rtt), ''],
  );
  if (sent.kind === 'video') rows.push(['Limited by', limitOf(sent, bitrate), '']);
  return rows;
}

/** @param {SentEncoding} encoding @returns {string} */
function titleOf({ kind, rid }) {
  if (kind === 'audio') return 'Audio';
  return rid === null ? 'Video' : `Video, layer ${rid}`;
}

/** The tables by their titles. @type {Map<string, any>} */
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
 * @param {SentEncoding[]} sent
 * @param {LiveStream|null} received
 * @param {number} [bitrate] The limit that the user has set, in bit/s.
 */
export function showEncodings(sent, received, bitrate = Infinity) {
  const titles = sent.map(titleOf);
  for (const [title, table] of tables) {
    if (titles.includes(title)) continue;
    table.remove();
    tables.delete(title);
  }
  sent.forEach((encoding, i) => {
    const title = titles[i];
    if (!tables.has(title)) tables.set(title, makeTable(title));
    const track = received?.tracks.find(({ kind }) => kind === encoding.kind);
    const limit = bitrate * shareOf(encoding.rid);
    const match = track?.layers.find(({ rid }) => rid === encoding.rid);
    writeRows(tables.get(title).tBodies[0], rowsOf(encoding, match, limit));
  });
  $('layers-empty').hidden = sent.length > 0;
}
