/**
 * The encoding of published media: available codecs, and parameters for the browser.
 *
 * @module
 */

/**
 * @typedef {object} EncodingWish
 * @property {string} codec The MIME type of a video codec; empty: the browser and the
 *   server choose.
 * @property {number} bitrate The maximum bitrate of video, in bit/s; with simulcast that
 *   of the largest encoding.
 * @property {number} frameRate The maximum frame rate, in frames per second.
 * @property {boolean} simulcast Whether video is sent in three sizes at once.
 */

/** RTX, redundancy and forward error correction (RFC 4588, 2198, 5109, 8627). */
const COMPANIONS = /\/(rtx|red|ulpfec|flexfec-03)$/i;
const RTX = /\/rtx$/i;

/** The encodings of simulcast (RFC 8853): quarter, half and full size. */
export const SIMULCAST_ENCODINGS = [
  { rid: 'q', scaleResolutionDownBy: 4, share: 1 / 9 },
  { rid: 'h', scaleResolutionDownBy: 2, share: 1 / 3 },
  { rid: 'f', scaleResolutionDownBy: 1, share: 1 },
];

/** @param {string|null} rid @returns {number} The part of the bitrate limit that it has. */
export function shareOf(rid) {
  return SIMULCAST_ENCODINGS.find((encoding) => encoding.rid === rid)?.share ?? 1;
}

/** @returns {RTCRtpCodec[]} The video codecs that the browser can send. */
function videoCodecs() {
  return globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
}

/**
 * The common name of a codec.
 *
 * @param {string} mimeType As `video/H264`; or without `video/`.
 * @returns {string}
 */
export function codecName(mimeType) {
  const name = mimeType.replace(/^.*\//, '');
  const known = { H264: 'H.264', H265: 'H.265', OPUS: 'Opus' };
  return known[name.toUpperCase()] ?? name;
}

/** @returns {string[]} The MIME types of the video codecs that the browser can send. */
export function sendableCodecs() {
  const types = videoCodecs().map(({ mimeType }) => mimeType);
  return [...new Set(types)].filter((type) => !COMPANIONS.test(type));
}

/**
 * @param {EncodingWish} wish
 * @returns {RTCRtpEncodingParameters[]}
 */
export function encodingsFor({ bitrate, frameRate, simulcast }) {
  if (!simulcast) return [{ maxBitrate: bitrate, maxFramerate: frameRate }];
  return SIMULCAST_ENCODINGS.map(({ share, ...encoding }) => ({
    ...encoding,
    maxBitrate: Math.round(bitrate * share),
    maxFramerate: frameRate,
    // Otherwise Chromium sends VP9 and AV1 as one scalable stream (SVC).
    scalabilityMode: 'L1T1',
  }));
}

/**
 * Adds the tracks of a source to a connection.
 *
 * @param {RTCPeerConnection} pc
 * @param {MediaStream} media
 * @param {EncodingWish} wish
 */
export function addTracks(pc, media, wish) {
  for (const track of media.getTracks()) {
    const video = track.kind === 'video';
    const transceiver = pc.addTransceiver(track, {
      direction: 'sendonly',
      streams: [media],
      ...(video && { sendEncodings: encodingsFor(wish) }),
    });
    if (video && wish.codec) {
      const wanted = videoCodecs().filter(
        ({ mimeType }) => mimeType === wish.codec || RTX.test(mimeType),
      );
      transceiver.setCodecPreferences?.(wanted);
    }
  }
}
