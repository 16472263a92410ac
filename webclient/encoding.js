/**
 * How media is to be encoded: what the browser can do, and what it is told.
 *
 * @module
 */

/**
 * @typedef {object} EncodingWish
 * @property {string} codec A video codec by its MIME type; empty: what the browser
 *   and the server make of it.
 * @property {number} bitrate Bits per second at most, of video; of the largest layer.
 * @property {number} frameRate Frames per second at most.
 * @property {boolean} simulcast Whether video is sent in three sizes at once.
 */

/** No codecs of their own, but what comes with one (RFC 4588, 2198, 5109, 8627). */
const COMPANIONS = /\/(rtx|red|ulpfec|flexfec-03)$/i;
const RTX = /\/rtx$/i;

/** The layers of simulcast (RFC 8853), as a quarter, half and full size. */
export const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4, share: 1 / 9 },
  { rid: 'h', scaleResolutionDownBy: 2, share: 1 / 3 },
  { rid: 'f', scaleResolutionDownBy: 1, share: 1 },
];

/** @returns {RTCRtpCodec[]} What the browser can send. */
function videoCodecs() {
  return globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
}

/**
 * A codec's name as people write it.
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
  return LAYERS.map(({ share, ...layer }) => ({
    ...layer,
    maxBitrate: Math.round(bitrate * share),
    maxFramerate: frameRate,
    // Without it Chromium takes VP9 and AV1 for scalable, in one stream, instead.
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
