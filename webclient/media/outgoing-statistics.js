/**
 * Statistics of sent media, for each encoding.
 *
 * @module
 */

import { SIMULCAST_ENCODINGS } from './encoding.js';

/**
 * @typedef {object} SentEncoding
 * @property {'audio'|'video'} kind
 * @property {string|null} rid Null without simulcast.
 * @property {string|null} codec The encoding name, as in SDP. Unknown values are null,
 *   here and below.
 * @property {number|null} width Pixels.
 * @property {number|null} height
 * @property {number|null} frameRate Frames per second.
 * @property {number|null} bitrate Bits per second of RTP, since the last reading.
 * @property {number|null} rtt The round-trip time from RTCP, in seconds.
 * @property {number|null} loss The fraction of packets lost in the server's last
 *   report, 0 to 1.
 * @property {'none'|'cpu'|'bandwidth'|'other'|null} limit The reason for limited quality.
 * @property {number|null} target The bitrate that the encoder aims at, in bit/s.
 */

const ORDER = SIMULCAST_ENCODINGS.map(({ rid }) => rid);

/** Video before audio, the largest encoding first. */
function compare(a, b) {
  if (a.kind !== b.kind) return a.kind === 'video' ? -1 : 1;
  return ORDER.indexOf(b.rid) - ORDER.indexOf(a.rid);
}

export class OutgoingStatistics {
  /** @type {RTCPeerConnection} */ #pc;
  /** Octets and time of the last reading, by the id of the statistics. */
  #before = new Map();

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    this.#pc = pc;
  }

  /** @returns {Promise<SentEncoding[]>} Video first, the largest encoding first. */
  async read() {
    const report = await this.#pc.getStats();
    return [...report.values()]
      .filter(({ type }) => type === 'outbound-rtp')
      .map((sent) => this.#encoding(sent, report))
      .sort(compare);
  }

  /** @returns {SentEncoding} */
  #encoding(sent, report) {
    // The server's report on it.
    const remote = report.get(sent.remoteId);
    const mimeType = report.get(sent.codecId)?.mimeType;
    return {
      kind: sent.kind,
      rid: sent.rid ?? null,
      codec: mimeType?.replace(/^.*\//, '') ?? null,
      width: sent.frameWidth ?? null,
      height: sent.frameHeight ?? null,
      frameRate: sent.framesPerSecond ?? null,
      bitrate: this.#bitrate(sent),
      rtt: remote?.roundTripTime ?? null,
      loss: remote?.fractionLost ?? null,
      limit: sent.qualityLimitationReason ?? null,
      target: sent.targetBitrate ?? null,
    };
  }

  /** @returns {number|null} */
  #bitrate({ id, timestamp, bytesSent = 0, headerBytesSent = 0 }) {
    const octets = bytesSent + headerBytesSent;
    const before = this.#before.get(id);
    this.#before.set(id, { timestamp, octets });
    if (!before || timestamp <= before.timestamp) return null;
    return (8000 * (octets - before.octets)) / (timestamp - before.timestamp);
  }
}
