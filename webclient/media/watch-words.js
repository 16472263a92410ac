/**
 * Explains in words why there is no picture, or no sound.
 *
 * @module
 */

import { codecName } from './encoding.js';

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

/** @typedef {'audio'|'video'} Kind */

/**
 * @param {LiveStream} live
 * @param {Kind} kind
 * @returns {string[]} The codecs of its sound or picture, each once.
 */
export function codecsOf({ tracks }, kind) {
  const layers = tracks.find((track) => track.kind === kind)?.layers ?? [];
  return [...new Set(layers.map(({ codec }) => codec))];
}

/**
 * @param {LiveStream} live
 * @param {Kind} kind
 * @returns {string[]} The codecs of its sound or picture, if the browser can decode none
 *   of them.
 */
export function undecodable(live, kind) {
  const sent = codecsOf(live, kind);
  const { codecs } = globalThis.RTCRtpReceiver?.getCapabilities?.(kind) ?? {};
  if (!codecs) return [];
  const known = codecs.map(({ mimeType }) => mimeType.toLowerCase());
  return sent.some((codec) => known.includes(`${kind}/${codec.toLowerCase()}`)) ? [] : sent;
}

/** @param {LiveStream|null|undefined} live @param {Kind} kind @returns {string} */
function namesOfUndecodable(live, kind) {
  return live ? undecodable(live, kind).map(codecName).join(', ') : '';
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
  const codecs = namesOfUndecodable(live, 'video') || namesOfUndecodable(live, 'audio');
  if (codecs) return `“${stream}” is sent as ${codecs}, which this browser cannot play.`;
  return seen ? 'Nothing is received now.' : 'Waiting for the first picture…';
}

/** @param {string} stream @returns {string} */
export const describeSound = (stream) => `“${stream}” is sound only.`;

/**
 * @param {string} stream
 * @param {LiveStream|null|undefined} live
 * @returns {string} Why the picture stands still while the sound goes on; empty if the
 *   codec is not the reason.
 */
export function describeStill(stream, live) {
  const codecs = namesOfUndecodable(live, 'video');
  if (!codecs) return '';
  return `The picture of “${stream}” is sent as ${codecs} now, which this browser cannot play. The sound goes on.`;
}

/**
 * @param {string} stream
 * @param {LiveStream|null|undefined} live
 * @returns {string} Why a picture has no sound; empty if the codec is not the reason.
 */
export function describeMute(stream, live) {
  const codecs = namesOfUndecodable(live, 'audio');
  return codecs && `The sound of “${stream}” is sent as ${codecs}, which this browser cannot play.`;
}
