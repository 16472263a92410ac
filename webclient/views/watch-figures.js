/**
 * Shows figures of the received media. Only writes to the document.
 *
 * @module
 */

import { delaysOf } from '../media/delay.js';
import { write } from '../ui/dom.js';
import {
  UNKNOWN,
  formatBitrate,
  formatCodec,
  formatFrameRate,
  formatRtt,
  formatShare,
  formatSize,
} from '../media/media-words.js';

/** @typedef {import('../media/incoming-statistics.js').Incoming} Incoming */

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
  const delays = delaysOf(incoming ?? nothing);
  const figures = {
    'watch-resolution': formatSize(video?.width, video?.height),
    'watch-frame-rate': formatFrameRate(video?.frameRate),
    'watch-bitrate': formatBitrate(bitrateOf(incoming ?? nothing)),
    'watch-codec': codecsOf(incoming ?? nothing),
    'watch-loss': formatShare(track?.loss),
    'watch-jitter': formatRtt(track?.packets ? track.jitter : null),
    'watch-rtt': formatRtt(rtt),
    'watch-delay-now': formatRtt(delays.video ?? delays.audio),
  };
  for (const [id, text] of Object.entries(figures)) write(id, text);
}
