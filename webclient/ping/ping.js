/**
 * Pings over a data channel that echoes: sequence numbers, time-outs, auto-ping.
 *
 * @module
 */

import { grouped } from '../ui/dom.js';
import { startTicking } from '../ui/ticker.js';

/** The header of a message: four bytes "ping", then the sequence number. */
export const MIN_PAYLOAD = 8;
/** The default maximum message size (RFC 8841, section 6.1). */
export const DEFAULT_MAX_PAYLOAD = 65536;

const MAGIC = 0x70696e67; // "ping"
const PADDING = 0x2e; // "."
/** Pings without an echo of which a late one is still recognized. */
const MOST_OVERDUE = 1000;

/**
 * @param {number} sequence
 * @param {number} size Bytes, at least MIN_PAYLOAD.
 * @returns {ArrayBuffer}
 */
export function encodePing(sequence, size) {
  const buffer = new ArrayBuffer(size);
  const view = new DataView(buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, sequence);
  new Uint8Array(buffer, MIN_PAYLOAD).fill(PADDING);
  return buffer;
}

/**
 * @param {unknown} data The data of a message event.
 * @returns {{sequence: number, size: number}|null} Null for anything but a ping.
 */
export function decodePing(data) {
  if (!(data instanceof ArrayBuffer) || data.byteLength < MIN_PAYLOAD) return null;
  const view = new DataView(data);
  if (view.getUint32(0) !== MAGIC) return null;
  return { sequence: view.getUint32(4), size: data.byteLength };
}

/**
 * Validates a payload size typed by the user.
 *
 * @param {string} text
 * @param {number} max The negotiated maximum message size.
 * @returns {{size?: number, problem?: string}} The size, or a description of the error.
 */
export function parsePayloadSize(text, max) {
  const limit = Number.isFinite(max) && max > 0 ? max : DEFAULT_MAX_PAYLOAD;
  const range = `${MIN_PAYLOAD} to ${grouped(limit)} bytes`;
  if (!/^\d+$/.test(text.trim())) {
    return { problem: `Please enter a whole number from ${range}.` };
  }
  const size = Number(text);
  if (size < MIN_PAYLOAD) {
    return { problem: `${size} is too small. A ping has ${range}.` };
  }
  if (size > limit) {
    return { problem: `That is too large. This connection allows ${range}.` };
  }
  return { size };
}

/**
 * Events, each a CustomEvent:
 * - `sent`: {sequence};
 * - `echo`: {sequence, rtt, size};
 * - `lost`: {sequence}, no echo within the time-out, or the channel closed first;
 * - `late`: {sequence, rtt}, the echo of one that was counted as lost.
 */
export class Pinger extends EventTarget {
  /** @type {RTCDataChannel|null} */ #channel = null;
  /** @type {Map<number, {sentAt: number, size: number, timer: ReturnType<typeof setTimeout>}>} */
  #pending = new Map();
  /** Those whose time is over. @type {Map<number, {sentAt: number, size: number}>} */
  #overdue = new Map();
  #sequence = 0;
  /** Stops the auto-ping. @type {(() => void)|null} */ #auto = null;
  #onMessage = (event) => this.#receive(event.data);

  /** @param {{timeout?: number}} [options] Milliseconds until a ping counts as lost. */
  constructor({ timeout = 2000 } = {}) {
    super();
    this.timeout = timeout;
  }

  /** Whether a ping could be sent now. */
  get ready() {
    return this.#channel?.readyState === 'open';
  }

  /** @param {RTCDataChannel} channel An open one. */
  attach(channel) {
    this.detach();
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', this.#onMessage);
    this.#channel = channel;
  }

  /**
   * Detaches the channel.
   *
   * @param {{lost?: boolean}} [options] Whether unanswered pings count as lost (the
   *   connection broke) or are dropped (the user disconnected).
   */
  detach({ lost = false } = {}) {
    this.#channel?.removeEventListener('message', this.#onMessage);
    this.#channel = null;
    for (const [sequence, { timer }] of [...this.#pending]) {
      clearTimeout(timer);
      if (lost) this.#lose(sequence);
    }
    this.#pending.clear();
    this.#overdue.clear();
  }

  /**
   * Sends one ping.
   *
   * @param {number} size Bytes.
   * @returns {number|null} Its sequence number; null when there is no open channel.
   * @throws {DOMException} When the browser cannot send it (too large, queue full).
   */
  ping(size) {
    if (!this.ready) return null;
    const sequence = ++this.#sequence;
    const message = encodePing(sequence, size);
    const timer = setTimeout(() => this.#expire(sequence), this.timeout);
    this.#pending.set(sequence, { sentAt: performance.now(), size, timer });
    try {
      this.#channel.send(message);
    } catch (error) {
      clearTimeout(timer);
      this.#pending.delete(sequence);
      throw error;
    }
    this.#emit('sent', { sequence });
    return sequence;
  }

  /**
   * Calls `tick` now and at every interval; `tick` decides what to send.
   *
   * @param {number} interval Milliseconds.
   * @param {() => void} tick
   */
  startAuto(interval, tick) {
    this.stopAuto();
    this.#auto = startTicking(tick, interval);
    tick();
  }

  stopAuto() {
    this.#auto?.();
    this.#auto = null;
  }

  #receive(data) {
    const now = performance.now();
    const echo = decodePing(data);
    if (!echo) return;
    const { sequence, size } = echo;
    const pending = this.#pending.get(sequence) ?? this.#overdue.get(sequence);
    // One of another size is not an echo.
    if (pending?.size !== size) return;
    const rtt = now - pending.sentAt;
    if (this.#overdue.delete(sequence)) {
      this.#emit('late', { sequence, rtt });
      return;
    }
    clearTimeout(pending.timer);
    this.#pending.delete(sequence);
    this.#emit('echo', { sequence, size, rtt });
  }

  #expire(sequence) {
    this.#overdue.set(sequence, this.#pending.get(sequence));
    if (this.#overdue.size > MOST_OVERDUE) {
      const [oldest] = this.#overdue.keys();
      this.#overdue.delete(oldest);
    }
    this.#lose(sequence);
  }

  #lose(sequence) {
    this.#pending.delete(sequence);
    this.#emit('lost', { sequence });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
