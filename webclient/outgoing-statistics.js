/**
 * What the browser sends, layer by layer, from its statistics.
 *
 * @module
 */

import { LAYERS } from './encoding.js';

/**
 * @typedef {object} SentLayer
 * @property {'audio'|'video'} kind
 * @property {string|null} rid Null when there is but one layer.
 * @property {string|null} codec As SDP writes it. What is not known is null, here and
 *   below.
 * @property {number|null} width Pixels.
 * @property {number|null} height
 * @property {number|null} frameRate Frames per second.
 * @property {number|null} bitrate Bits per second of RTP, since the statistics were
 *   read before.
 * @property {number|null} rtt Seconds, as RTCP tells.
 * @property {number|null} loss The share of packets that were lost lately, 0 to 1, as
 *   the server reports it.
 * @property {'none'|'cpu'|'bandwidth'|'other'|null} limit What keeps the quality down.
 */

const ORDER = LAYERS.map(({ rid }) => rid);

/** Video before audio, the largest layer first. */
function compare(a, b) {
  if (a.kind !== b.kind) return a.kind === 'video' ? -1 : 1;
  return ORDER.indexOf(b.rid) - ORDER.indexOf(a.rid);
}

export class OutgoingStatistics {
  /** @type {RTCPeerConnection} */ #pc;
  /** Octets and time of the reading before, by the id of the statistics. */
  #before = new Map();

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    this.#pc = pc;
  }

  /** @returns {Promise<SentLayer[]>} Video first, the largest layer first. */
  async read() {
    const report = await this.#pc.getStats();
    return [...report.values()]
      .filter(({ type }) => type === 'outbound-rtp')
      .map((sent) => this.#layer(sent, report))
      .sort(compare);
  }

  /** @returns {SentLayer} */
  #layer(sent, report) {
    // What the server reports of it.
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
