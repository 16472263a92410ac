/**
 * Statistics of received media.
 *
 * @module
 */

import { pairIn } from '../client/candidate-pair.js';

/**
 * Unknown values are null. Rates, fractions and delays are those since the last reading.
 *
 * @typedef {object} IncomingTrack
 * @property {string|null} codec The encoding name, as in SDP.
 * @property {number} packets Packets received so far.
 * @property {number} frames Video frames decoded so far.
 * @property {number|null} width Pixels.
 * @property {number|null} height
 * @property {number|null} frameRate Frames per second.
 * @property {number|null} bitrate Bits per second of RTP.
 * @property {number|null} loss The fraction of packets lost, 0 to 1.
 * @property {number|null} jitter Seconds.
 * @property {number|null} wait Seconds that media waits in the jitter buffer.
 */

/**
 * @typedef {object} Incoming
 * @property {IncomingTrack|null} video
 * @property {IncomingTrack|null} audio
 * @property {number|null} rtt The round-trip time of the last check, in seconds.
 */

/** @typedef {'octets'|'packets'|'lost'|'wait'|'emitted'|'timestamp'} Counter */

/** @returns {Record<Counter, number>} */
function countersOf(track) {
  return {
    octets: (track.bytesReceived ?? 0) + (track.headerBytesReceived ?? 0),
    packets: track.packetsReceived ?? 0,
    lost: track.packetsLost ?? 0,
    wait: track.jitterBufferDelay ?? 0,
    emitted: track.jitterBufferEmittedCount ?? 0,
    timestamp: track.timestamp,
  };
}

/** @returns {number|null} Null if the whole is 0. */
const ratio = (part, whole) => (whole > 0 ? Math.max(0, part) / whole : null);

export class IncomingStatistics {
  /** @type {RTCPeerConnection} */ #pc;
  /** The counters of the last reading, by the id of the statistics.
   * @type {Map<string, Record<Counter, number>>} */
  #before = new Map();

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    this.#pc = pc;
  }

  /** @returns {Promise<Incoming>} */
  async read() {
    const report = await this.#pc.getStats();
    const tracks = [...report.values()].filter(({ type }) => type === 'inbound-rtp');
    const track = (wanted) => {
      const found = tracks.find(({ kind }) => kind === wanted);
      return found ? this.#track(found, report) : null;
    };
    const rtt = pairIn(report)?.rtt;
    return {
      video: track('video'),
      audio: track('audio'),
      rtt: rtt === undefined ? null : rtt / 1000,
    };
  }

  /** @returns {IncomingTrack} */
  #track(track, report) {
    const now = countersOf(track);
    const before = this.#before.get(track.id);
    this.#before.set(track.id, now);
    const since = (counter) => now[counter] - (before?.[counter] ?? 0);
    const mimeType = report.get(track.codecId)?.mimeType;
    return {
      codec: mimeType?.replace(/^.*\//, '') ?? null,
      packets: now.packets,
      frames: track.framesDecoded ?? 0,
      width: track.frameWidth ?? null,
      height: track.frameHeight ?? null,
      frameRate: track.framesPerSecond ?? null,
      bitrate: before ? ratio(8000 * since('octets'), since('timestamp')) : null,
      loss: ratio(since('lost'), since('lost') + since('packets')),
      jitter: track.jitter ?? null,
      wait: ratio(since('wait'), since('emitted')),
    };
  }
}
