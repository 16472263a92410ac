/**
 * Shows figures of the received media. Only writes to the document.
 *
 * @module
 */

import { write } from './dom.js';
import {
  UNKNOWN,
  formatBitrate,
  formatCodec,
  formatFrameRate,
  formatRtt,
  formatShare,
  formatSize,
} from './media-words.js';

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */

/**
 * The latency from the server to the screen, estimated by this browser: half a round trip
 * plus the time in the jitter buffer.
 *
 * @param {Incoming} incoming
 * @returns {number|null} Seconds.
 */
export function latencyOf({ video, audio, rtt }) {
  const wait = video?.wait ?? audio?.wait ?? null;
  return wait === null || rtt === null ? null : wait + rtt / 2;
}

/** @param {Incoming} incoming @returns {string} */
function codecsOf({ video, audio }) {
  const known = [video, audio].map((track) => track?.codec).filter(Boolean);
  return known.map(formatCodec).join(', ') || UNKNOWN;
}

/** @param {Incoming} incoming @returns {number|null} */
function bitrateOf({ video, audio }) {
  const known = [video, audio].map((track) => track?.bitrate ?? null);
  return known.every((rate) => rate === null) ? null : known[0] + known[1];
}

/** @param {Incoming|null} incoming Null if there is no connection. */
export function showIncoming(incoming) {
  const nothing = { video: null, audio: null, rtt: null };
  const { video, audio, rtt } = incoming ?? nothing;
  const track = video?.packets ? video : audio;
  const figures = {
    'watch-resolution': formatSize(video?.width, video?.height),
    'watch-frame-rate': formatFrameRate(video?.frameRate),
    'watch-bitrate': formatBitrate(bitrateOf(incoming ?? nothing)),
    'watch-codec': codecsOf(incoming ?? nothing),
    'watch-loss': formatShare(track?.loss),
    'watch-jitter': formatRtt(track?.packets ? track.jitter : null),
    'watch-rtt': formatRtt(rtt),
    'watch-latency': formatRtt(latencyOf(incoming ?? nothing)),
  };
  for (const [id, text] of Object.entries(figures)) write(id, text);
}
