/**
 * Publishes a source's media over a link.
 *
 * @module
 */

import { capture } from './capture.js';
import { Chat } from './chat.js';
import { addTracks } from './encoding.js';
import { Link } from '../link/link.js';
import { endpointOf } from '../ui/settings.js';
import { offerSentSound } from './sound-offer.js';
import { fetchStream } from '../resources/streams-api.js';
import { WhipError } from '../client/whip-error.js';

/** @typedef {import('./capture.js').Source} Source */

/**
 * @typedef {import('./capture.js').SourceWish & import('./encoding.js').EncodingWish &
 *   {stream: string}} PublishWish
 */

/** Devices that a browser takes away at once, as when a permission is taken back. */
const BOTH_GONE =
  'The picture and the sound have ended: the devices are gone, or the page may not use them ' +
  'any more. Allow or connect them again,';

/**
 * Events: `change`, when a property has changed; `chat`, when the chat has, or is another
 * one; and those of its `link`.
 */
export class Publisher extends EventTarget {
  /** Whether the browser is asking the user for media. */
  asking = false;
  /** The published source; null if there is none. @type {Source|null} */ source = null;
  /** Why there is no media, in words. @type {string} */
  problem = '';
  /** The last wish. @type {PublishWish|null} */ wish = null;
  /** That of the stream; it says whether there is one. @type {Chat} */ chat = this.#newChat();
  /** @type {Link} */ link;
  /** The kinds of tracks that are turned off. @type {Set<string>} */ #off = new Set();
  /** Whether a device has gone, and the other one goes on. */ #lacks = false;
  /** Settles when no other source or device is being taken. @type {Promise<void>} */
  #switching = Promise.resolve();
  /** @type {() => string} */ #token;
  /** Incremented at each start and stop, to recognize outdated results. */
  #generation = 0;

  /** @param {() => string} token Called at every request. */
  constructor(token) {
    super();
    this.#token = token;
    const target = () => ({ endpoint: endpointOf(this.wish.stream), token: token() });
    const addMedia = (pc) => {
      addTracks(pc, this.source.media, this.wish);
      this.chat.open(pc);
    };
    this.link = new Link(target, { addMedia, adaptOffer: offerSentSound });
    this.link.addEventListener('change', () => this.#linkChanged());
  }

  /** Whether the user wants to publish. */
  get wanted() {
    return this.asking || this.source !== null;
  }

  /**
   * Captures media and publishes it. Never throws: see `problem` and `link.problem`.
   *
   * @param {PublishWish} wish
   */
  async start(wish) {
    // Not awaited yet: browsers allow screen capture only right after a click.
    const ended = this.stop();
    const generation = this.#generation;
    if (this.wish && this.wish.stream !== wish.stream) this.chat = this.#newChat();
    this.wish = wish;
    this.asking = true;
    this.#changed();
    try {
      const source = await capture(wish);
      // Until it has ended, the old session holds the stream's name.
      await ended;
      if (generation !== this.#generation) {
        source.stop();
        return;
      }
      this.#use(source);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = error.message;
    }
    this.asking = false;
    this.#changed();
    if (this.source) this.link.connect();
  }

  /**
   * Goes on with another source, within the same session. Never throws: see `problem`;
   * then the source stays.
   *
   * @param {PublishWish} wish Of which the source and the devices count.
   */
  switchTo(wish) {
    const generation = this.#generation;
    return this.#inTurn(async () => {
      if (generation !== this.#generation) return;
      this.problem = '';
      try {
        await this.#goOn({ ...this.wish, ...wish });
      } catch (error) {
        if (generation === this.#generation) this.problem = error.message;
        this.#changed();
      }
    });
  }

  /** Takes back a device that was gone, if it is there again, or the one in its place. */
  regain() {
    return this.#inTurn(async () => {
      if (!this.#lacks) return;
      try {
        await this.#goOn(this.wish);
        this.problem = '';
        this.#changed();
      } catch {
        // It is not there yet.
      }
    });
  }

  /**
   * Does one thing after the other: each goes on from the source that the last has left.
   *
   * @param {() => Promise<void>} switchNow Never throws.
   */
  #inTurn(switchNow) {
    this.#switching = this.#switching.then(switchNow);
    return this.#switching;
  }

  /** @param {PublishWish} wish What is sent from now on. @throws {Error} Then nothing changes. */
  async #goOn(wish) {
    const generation = this.#generation;
    const before = this.source;
    // A device may be in use by the source before: some give it to one user only.
    const source = await capture(wish);
    if (generation !== this.#generation || this.source !== before) {
      source.stop();
      return;
    }
    await this.#replaceTracks(source.media);
    this.wish = wish;
    this.#use(source);
    before.stop();
    this.#changed();
  }

  /** @param {MediaStream} media Whose tracks are sent from now on. */
  async #replaceTracks(media) {
    const transceivers = this.link.client?.pc.getTransceivers() ?? [];
    for (const { sender, receiver } of transceivers) {
      // A sender may have no track, its transceiver's receiver always has one.
      const { kind } = receiver.track;
      const track = media.getTracks().find((each) => each.kind === kind) ?? null;
      await sender.replaceTrack(track).catch((error) => {
        this.problem =
          `The browser cannot switch: ${error.message}. Stop, and start with this source.`;
      });
    }
    const sends = (kind) => transceivers.some(({ receiver }) => receiver.track.kind === kind);
    if (transceivers.length && media.getAudioTracks().length && !sends('audio')) {
      this.problem = 'The sound of this source is sent after the next start: stop, and start.';
    }
  }

  /** @param {Source} source */
  #use(source) {
    this.source = source;
    this.#lacks = false;
    for (const track of source.media.getTracks()) {
      track.enabled = this.isOn(track.kind);
      track.addEventListener('ended', () => this.#ended(track));
    }
  }

  /** @param {string} kind `audio` or `video`. @returns {boolean} Whether it is sent. */
  isOn(kind) {
    return !this.#off.has(kind);
  }

  /**
   * Sends silence, or black pictures, or the source again.
   *
   * @param {string} kind `audio` or `video`.
   * @param {boolean} on
   */
  turn(kind, on) {
    if (on) this.#off.delete(kind);
    else this.#off.add(kind);
    for (const track of this.source?.media.getTracks() ?? []) {
      track.enabled = this.isOn(track.kind);
    }
    this.#changed();
  }

  #newChat() {
    const chat = new Chat();
    chat.addEventListener('change', () => this.dispatchEvent(new Event('chat')));
    return chat;
  }

  /** Ends the session, and releases the devices. */
  async stop() {
    this.#release();
    this.problem = '';
    this.#changed();
    await this.link.disconnect();
  }

  /** Does the same when the page is left, without waiting for the server. */
  leave() {
    this.#release();
    this.link.leave();
  }

  #release() {
    this.#generation += 1;
    this.asking = false;
    this.source?.stop();
    this.source = null;
    this.#lacks = false;
    this.#off.clear();
  }

  /** @param {MediaStreamTrack} track The track that has ended. */
  async #ended(track) {
    const { media } = this.source ?? {};
    if (!media?.getTracks().includes(track)) return;
    const isPicture = track.kind === 'video';
    const [what, other] = isPicture ? ['picture', 'sound'] : ['sound', 'picture'];
    const gone = `The ${what} has ended: the device is gone, or the page may not use it any more.`;
    const isScreen = this.wish.source === 'screen';
    const goesOn = media.getTracks().some(({ readyState }) => readyState === 'live');
    if (goesOn && !(isScreen && isPicture)) {
      media.removeTrack(track);
      this.#lacks = !isScreen;
      const generation = this.#generation;
      await this.#replaceTracks(media);
      // Meanwhile the other one may have ended, too.
      if (generation !== this.#generation) return;
      this.problem = isScreen
        ? `The sound has ended; the picture goes on. For both, stop, and start again.`
        : `${gone} The ${other} goes on. Connect it again, and it is back; or choose another one.`;
    } else {
      const both = this.#lacks || media.getTracks().length > 1;
      const all = both ? BOTH_GONE : `${gone} Allow or connect it again, or choose another one,`;
      const stopped = this.stop();
      this.problem = isScreen
        ? 'Sharing the screen was ended. Start shares it again.'
        : `${all} and start.`;
      this.#changed();
      // The user may start again before the server has answered.
      await stopped;
      return;
    }
    this.#changed();
  }

  #linkChanged() {
    const { phase, problem } = this.link;
    if (phase === 'stopped' && this.source) {
      this.#release();
      this.#changed();
    } else if (phase === 'waiting' && problem.kind === 'ended') {
      this.#giveWay(problem);
    }
  }

  /**
   * Gives up if the server has ended the session for another publisher: reconnecting
   * would end that one, which would reconnect as well.
   */
  async #giveWay(problem) {
    const generation = this.#generation;
    const taken = await fetchStream(this.wish.stream, this.#token()).catch(() => null);
    const { phase } = this.link;
    if (!taken || generation !== this.#generation || problem !== this.link.problem) return;
    if (phase !== 'waiting') return;
    const detail =
      `Somebody else publishes “${this.wish.stream}” now. Choose another name, or agree with ` +
      'them, and start again.';
    const title = 'Another publisher has taken over';
    this.link.giveUp(new WhipError('protocol', { title, detail }));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
