/**
 * Watches a stream and knows what is seen of it: figures, and words for what is missing.
 *
 * @module
 */

import { fetchStream } from '../resources/streams-api.js';
import { Poll } from '../ui/poll.js';
import { IncomingStatistics } from './incoming-statistics.js';
import { Viewer } from './viewer.js';
import {
  codecsOf,
  describeMute,
  describeSilence,
  describeSound,
  describeStill,
  undecodable,
} from './watch-words.js';

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

/** Milliseconds between readings. */
const PERIOD = 1000;
/** ... and between requests to the server, unless something changes. */
const ASKING_PERIOD = 3000;
/** Milliseconds without a packet that count as silence, and those without a frame as a
 * still picture. */
const SILENCE = 1500;

/** What is missing of the stream. @typedef {''|'picture'|'all'} Lack */

const UNASKED = { live: undefined, asked: -Infinity, lack: '' };
const NOTHING = { count: 0, since: 0 };

/**
 * Events:
 * - `change`: the viewer or its link has changed;
 * - `reading`: there are new figures in `incoming`;
 * - `words`: `live`, `note` or `soundNote` may have changed.
 */
export class Watching extends EventTarget {
  /** The last figures; null if there is no connection. @type {Incoming|null} */
  incoming = null;
  /** Why there is no picture, or none that moves; empty if there is one. */
  note = '';
  /** Why there is no sound; empty if the codec is not the reason. */
  soundNote = '';
  /** What is missing. @type {Lack} */ lack = '';
  /** Whether the stream has been seen or heard, over any connection. */
  seen = false;
  /** @type {Viewer} */ viewer;
  /** @type {() => string} */ #token;
  #poll = new Poll(() => this.#update(), PERIOD);
  #follows = false;
  /** The statistics of the connection. @type {IncomingStatistics|null} */ #statistics = null;
  /** The server's description of the stream; when it was requested, and what was missing.
   * @type {{live: LiveStream|null|undefined, asked: number, lack: Lack}} */
  #answer = UNASKED;
  /** The number of packets received, and the time of its last change. */
  #packets = NOTHING;
  /** The same of decoded frames. */
  #frames = NOTHING;
  /** The codecs that were sent when the server rejected a section of this session. */
  #rejected = '';

  /**
   * @param {() => string} token Called at every request.
   * @param {import('./chat.js').Chat|null} [chat] That of the stream; null: none.
   */
  constructor(token, chat = null) {
    super();
    this.#token = token;
    this.viewer = new Viewer(token, chat);
    this.viewer.addEventListener('change', () => this.#changed());
    this.link.addEventListener('change', () => this.#changed());
    this.link.addEventListener('session', () => {
      this.#statistics = new IncomingStatistics(this.link.client.pc);
      this.#packets = this.#frames = { count: 0, since: performance.now() };
      this.#rejected = '';
    });
    this.link.addEventListener('open', () => this.updateNow());
  }

  get link() {
    return this.viewer.link;
  }

  /** The server's description of the stream; null: it is not published; undefined: unknown.
   * @returns {LiveStream|null|undefined} */
  get live() {
    return this.#answer.live;
  }

  /**
   * Watches a stream instead of the last one.
   *
   * @param {string} stream
   * @param {string} [layer] The rid of a layer; empty: the server chooses.
   */
  watch(stream, layer = '') {
    if (stream !== this.viewer.stream) {
      this.seen = false;
      this.#answer = UNASKED;
    }
    this.viewer.watch(stream, layer);
  }

  /** Takes readings repeatedly, from now on. */
  follow() {
    this.#follows = true;
    this.#poll.start();
  }

  /** Takes no more readings. */
  rest() {
    this.#follows = false;
    this.#poll.stop();
  }

  /** Takes a reading now, if it follows. */
  updateNow() {
    if (this.#follows) this.#poll.start();
  }

  #changed() {
    if (!this.link.established) this.incoming = null;
    this.#emit('change');
  }

  /** Takes a reading; asks the server at intervals, and when silence begins or ends. */
  async #update() {
    if (!this.link.established || document.hidden) return;
    const statistics = this.#statistics;
    const incoming = await statistics.read();
    const concerns = () => statistics === this.#statistics && this.link.established;
    if (!concerns()) return;
    const lack = this.#lackOf(incoming);
    this.incoming = incoming;
    this.#emit('reading');
    if (!lack) this.#describe(incoming, lack);
    const now = performance.now();
    const { asked, lack: before } = this.#answer;
    if (lack === before && now - asked < ASKING_PERIOD) return;
    const { stream, layer } = this.viewer;
    // Without a response, the publisher's state is unknown.
    const live = await fetchStream(stream, this.#token()).catch(() => undefined);
    if (!concerns()) return;
    this.#answer = { live, asked: now, lack };
    this.#describe(incoming, lack);
    if (live && this.#isRejectedInVain(live)) {
      this.watch(stream, layer);
      return;
    }
    // If the stream is published and nothing is received, the session may have ended.
    if (lack === 'all' && this.seen && live !== null) this.link.check();
  }

  /** @param {Incoming} incoming @returns {Lack} */
  #lackOf({ video, audio }) {
    const count = (video?.packets ?? 0) + (audio?.packets ?? 0);
    const frames = video?.frames ?? 0;
    const now = performance.now();
    if (count > this.#packets.count) this.#packets = { count, since: now };
    if (frames > this.#frames.count) this.#frames = { count: frames, since: now };
    this.seen ||= Boolean(video?.frames) || (!video?.packets && Boolean(audio?.packets));
    if (!count || now - this.#packets.since > SILENCE) return 'all';
    return frames && now - this.#frames.since > SILENCE ? 'picture' : '';
  }

  /**
   * A section is rejected for the codecs of the publisher. Another publisher may send
   * what this browser plays; only a new session has a section for it.
   *
   * @param {LiveStream} live
   * @returns {boolean} Whether a new session would get more.
   */
  #isRejectedInVain(live) {
    const received = this.link.client.pc
      .getTransceivers()
      .filter(({ currentDirection }) => currentDirection === 'recvonly')
      .map(({ receiver }) => receiver.track.kind);
    const rejected = ['video', 'audio'].filter((kind) => !received.includes(kind));
    const known = rejected.filter((kind) => codecsOf(live, kind).length);
    // Nothing has been received of a new publisher yet.
    if (!known.length) return false;
    const before = this.#rejected;
    this.#rejected = known.map((kind) => codecsOf(live, kind).join()).join(';');
    const plays = known.some((kind) => !undecodable(live, kind).length);
    return before !== '' && this.#rejected !== before && plays;
  }

  /** @param {Incoming} incoming @param {Lack} lack */
  #describe({ video }, lack) {
    const { stream } = this.viewer;
    const { live } = this.#answer;
    const hasVideo = !live || live.tracks.some(({ kind }) => kind === 'video');
    const note = () => {
      if (lack === 'all' || (hasVideo && !video?.frames)) {
        return describeSilence({ stream, live, seen: this.seen });
      }
      if (lack === 'picture') return describeStill(stream, live);
      return hasVideo ? '' : describeSound(stream);
    };
    this.lack = lack;
    this.note = note();
    this.soundNote = lack === 'all' ? '' : describeMute(stream, live);
    this.#emit('words');
  }

  /** @param {string} type */
  #emit(type) {
    this.dispatchEvent(new Event(type));
  }
}
