/**
 * Measures the throughput of each direction over a data channel of its own. Each message
 * says how large its answer is to be: large messages with small answers measure the way
 * to the server, small ones with large answers the way from it.
 *
 * @module
 */

/** The protocol of the channel, by which the server knows it. */
export const PROTOCOL = 'throughput';

const HEADER_SIZE = 8;
/** Octets of a large message. */
export const BLOCK = 8192;
/** Seconds of the measured rate that may be on their way: more than a long queue holds. */
const AHEAD = 2;
/** Blocks on their way at the beginning, and at least. */
const FIRST = 16;
const LEAST = 8;
/**
 * Blocks on their way at most. The server holds 1 MiB for a session by default, and does
 * not answer beyond that.
 *
 * @type {Record<Direction, number>}
 */
const MOST = { down: 96, up: 512 };
/** Milliseconds between two readings. */
export const PERIOD = 250;
/** Milliseconds without any answer after which fewer blocks are tried. */
const PAUSE = 1500;
/** ... and after which a test ends. */
const SILENCE = 6000;

/**
 * @typedef {'down'|'up'} Direction From the server, or to it.
 */

/**
 * @param {number} answerSize Octets.
 * @param {number} size Octets of the message.
 * @returns {ArrayBuffer}
 */
export function encodeRequest(answerSize, size) {
  const buffer = new ArrayBuffer(size);
  new DataView(buffer).setUint32(0, answerSize);
  return buffer;
}

/**
 * The throughput of one direction.
 *
 * @param {number[]} rates Readings in bit/s, one for each PERIOD.
 * @returns {number|null} Their average without the first second, in which the sender finds
 *   out what the path carries, if there is more; null without readings.
 */
export function averageOf(rates) {
  const second = Math.round(1000 / PERIOD);
  const counted = rates.length > second ? rates.slice(second) : rates;
  if (!counted.length) return null;
  return counted.reduce((sum, rate) => sum + rate, 0) / counted.length;
}

/**
 * One direction on one open channel.
 *
 * Events:
 * - `reading`: CustomEvent<number>, bit/s since the last one;
 * - `end`: CustomEvent<'done'|'stopped'|'silent'|'closed'>.
 */
export class DirectionTest extends EventTarget {
  /** @type {RTCDataChannel} */ #channel;
  /** @type {Direction} */ #direction;
  #ended = new AbortController();
  /** @type {ReturnType<typeof setInterval>|undefined} */ #timer;
  /** Blocks on their way, there or back. */ #underWay = 0;
  /** ... that may be: few where little comes, so that no long queue is left. */
  #allowed = FIRST;
  /** When fewer were tried for want of answers. */ #eased = 0;
  /** Octets since the last reading. */ #octets = 0;
  #readAt = 0;
  #heardAt = 0;
  #endsAt = 0;

  /**
   * @param {RTCDataChannel} channel An open one with the protocol.
   * @param {Direction} direction
   */
  constructor(channel, direction) {
    super();
    this.#channel = channel;
    this.#direction = direction;
  }

  /** @param {number} duration Milliseconds. */
  start(duration) {
    const channel = this.#channel;
    const { signal } = this.#ended;
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', ({ data }) => this.#take(data), { signal });
    channel.addEventListener('close', () => this.#end('closed'), { signal });
    this.#readAt = performance.now();
    this.#heardAt = this.#readAt;
    this.#endsAt = this.#readAt + duration;
    this.#timer = setInterval(() => this.#read(), PERIOD);
    this.#send();
  }

  stop() {
    this.#end('stopped');
  }

  #send() {
    const up = this.#direction === 'up';
    const message = up ? encodeRequest(0, BLOCK) : encodeRequest(BLOCK, HEADER_SIZE);
    while (this.#channel.readyState === 'open' && this.#underWay < this.#allowed) {
      this.#channel.send(message);
      this.#underWay += 1;
    }
  }

  /** @param {unknown} data An answer. */
  #take(data) {
    if (!(data instanceof ArrayBuffer)) return;
    this.#heardAt = performance.now();
    // The answer to a large message says that the server has got it.
    this.#octets += this.#direction === 'up' ? BLOCK : data.byteLength;
    this.#underWay = Math.max(0, this.#underWay - 1);
    this.#send();
  }

  #read() {
    const now = performance.now();
    const seconds = (now - this.#readAt) / 1000;
    const blocks = this.#octets / BLOCK / seconds;
    this.dispatchEvent(new CustomEvent('reading', { detail: 8 * BLOCK * blocks }));
    if (blocks) {
      this.#allowed = Math.min(MOST[this.#direction], Math.max(LEAST, Math.ceil(AHEAD * blocks)));
    }
    this.#readAt = now;
    this.#octets = 0;
    if (now >= this.#endsAt) this.#end('done');
    else if (now - this.#heardAt > SILENCE) this.#end('silent');
    else this.#ease(now);
  }

  /** Begins anew with fewer blocks when the server had no room for their answers. */
  #ease(now) {
    if (now - Math.max(this.#heardAt, this.#eased) > PAUSE) {
      this.#eased = now;
      this.#allowed = LEAST;
      this.#underWay = 0;
    }
    this.#send();
  }

  /** @param {'done'|'stopped'|'silent'|'closed'} how */
  #end(how) {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    clearInterval(this.#timer);
    this.dispatchEvent(new CustomEvent('end', { detail: how }));
  }
}

/**
 * Both directions, one after the other.
 *
 * Events:
 * - `change`: `readings` or `running` have changed;
 * - `end`: CustomEvent<'done'|'stopped'|'silent'|'closed'>.
 */
export class ThroughputTest extends EventTarget {
  /** Bit/s for each PERIOD. @type {Record<Direction, number[]>} */
  readings = { down: [], up: [] };
  /** @type {Direction|null} */ running = null;
  /** @type {RTCDataChannel|null} */ #channel = null;
  /** @type {DirectionTest|null} */ #test = null;

  /**
   * @param {RTCPeerConnection} pc A connection with a data channel.
   * @param {number} duration Milliseconds for each direction.
   */
  start(pc, duration) {
    const channel = pc.createDataChannel('throughput', { protocol: PROTOCOL, ordered: false });
    this.#channel = channel;
    this.running = 'down';
    channel.addEventListener('open', () => this.#measure('down', duration), { once: true });
    channel.addEventListener('close', () => !this.#test && this.#end('closed'), { once: true });
    this.dispatchEvent(new Event('change'));
  }

  stop() {
    if (this.#test) this.#test.stop();
    else this.#end('stopped');
  }

  /** @param {Direction} direction @param {number} duration */
  #measure(direction, duration) {
    if (!this.running) return;
    this.running = direction;
    const test = new DirectionTest(this.#channel, direction);
    this.#test = test;
    test.addEventListener('reading', ({ detail }) => {
      this.readings[direction].push(detail);
      this.dispatchEvent(new Event('change'));
    });
    test.addEventListener('end', ({ detail }) => {
      if (detail === 'done' && direction === 'down') this.#measure('up', duration);
      else this.#end(detail);
    });
    test.start(duration);
  }

  #end(how) {
    if (!this.running) return;
    this.running = null;
    this.#channel.close();
    this.dispatchEvent(new CustomEvent('end', { detail: how }));
  }
}
