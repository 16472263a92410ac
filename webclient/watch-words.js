/**
 * Explains in words why there is no picture.
 *
 * @module
 */

import { codecName } from './encoding.js';

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('./streams-api.js').LiveStream} LiveStream */

/**
 * @param {LiveStream} live
 * @returns {string[]} The codecs of its video, if the browser can decode none of them.
 */
function undecodable({ tracks }) {
  const layers = tracks.find(({ kind }) => kind === 'video')?.layers ?? [];
  const sent = [...new Set(layers.map(({ codec }) => codec))];
  const { codecs } = globalThis.RTCRtpReceiver?.getCapabilities?.('video') ?? {};
  if (!codecs) return [];
  const known = codecs.map(({ mimeType }) => mimeType.toLowerCase());
  return sent.some((codec) => known.includes(`video/${codec.toLowerCase()}`)) ? [] : sent;
}

/**
 * @param {object} facts
 * @param {string} facts.stream
 * @param {LiveStream|null|undefined} facts.live The server's description; null: it is not
 *   published; undefined: unknown.
 * @param {boolean} facts.seen Whether it has been seen or heard.
 * @returns {string} Why nothing is received over an established connection.
 */
export function describeSilence({ stream, live, seen }) {
  if (live === null) {
    return seen
      ? `The publisher of “${stream}” has left. Playback continues when somebody publishes it again.`
      : `Nobody publishes “${stream}” yet. It will play as soon as somebody does.`;
  }
  const codecs = live ? undecodable(live).map(codecName) : [];
  if (codecs.length) {
    return `“${stream}” is sent as ${codecs.join(', ')}, which this browser cannot play.`;
  }
  return seen ? 'Nothing is received now.' : 'Waiting for the first picture…';
}

/** @param {string} stream @returns {string} */
export const describeSound = (stream) => `“${stream}” is sound only.`;
