/**
 * The Watch view: connects its form, viewer, player and figures.
 *
 * @module
 */

import { DelayControl } from './delay-control.js';
import { $, write } from '../ui/dom.js';
import { IncomingStatistics } from '../media/incoming-statistics.js';
import { showLayerChoice } from './layer-choice.js';
import { Player } from '../ui/player.js';
import { Poll } from '../ui/poll.js';
import { explainLink } from '../link/problems.js';
import { streamNameProblem, viewerEndpointOf, watchPageOf } from '../ui/settings.js';
import { fetchStream } from '../resources/streams-api.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';
import { Viewer } from '../media/viewer.js';
import { showIncoming } from './watch-figures.js';
import {
  codecsOf,
  describeMute,
  describeSilence,
  describeSound,
  describeStill,
  undecodable,
} from './watch-words.js';

/** @typedef {import('../media/incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/settings.js').Settings} Settings */
/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

const WATCHING_WORDS = {
  ...CONNECTION_WORDS,
  idle: 'Not watching',
  conflict: 'Nobody publishes this stream now',
};

/** Milliseconds between updates of the figures. */
const PERIOD = 1000;
/** ... and between requests to the server, unless something changes. */
const ASKING_PERIOD = 3000;
/** Milliseconds without a packet that count as silence, and those without a frame as a
 * still picture. */
const SILENCE = 1500;

/** What is missing of the stream. @typedef {''|'picture'|'all'} Lack */

const UNASKED = { live: undefined, asked: -Infinity, lack: '' };
const NOTHING = { count: 0, since: 0 };
const NO_LINK = { stream: '', key: '' };

export class WatchView {
  title = 'Whipbird watch';
  /** @type {Viewer} */ #viewer;
  #player = new Player();
  /** @type {DelayControl} */ #delay;
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#update(), PERIOD);
  #inFront = false;
  /** The watched stream and layer when the view was left. */
  #left = { stream: '', layer: '' };
  /** The secret of the link that was opened, and the stream that it is for. */
  #link = NO_LINK;
  /** The statistics of the connection. @type {IncomingStatistics|null} */ #statistics = null;
  /** The server's description of the stream; when it was requested, and what was missing.
   * @type {{live: LiveStream|null|undefined, asked: number, lack: Lack}} */
  #answer = UNASKED;
  /** Whether the stream has been seen or heard, over any connection. */
  #seen = false;
  /** The number of packets received, and the time of its last change. */
  #packets = NOTHING;
  /** The same of decoded frames. */
  #frames = NOTHING;
  /** The codecs that were sent when the server rejected a section of this session. */
  #rejected = '';

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    this.#viewer = new Viewer(() => this.#token);
    this.#delay = new DelayControl(settings);
    this.#viewer.addEventListener('change', () => this.#show());
    this.link.addEventListener('change', () => this.#show());
    this.link.addEventListener('session', () => {
      this.#statistics = new IncomingStatistics(this.link.client.pc);
      this.#delay.follow(this.link.client.pc);
      this.#packets = this.#frames = { count: 0, since: performance.now() };
      this.#rejected = '';
    });
    this.link.addEventListener('open', () => this.#updateNow());
    // There is a picture: update the note at once.
    $('watch-video').addEventListener('loadeddata', () => this.#updateNow());
    $('watch-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#viewer.wanted) this.#viewer.stop();
      else this.#start($('watch-stream').value.trim());
    });
    $('watch-stream').addEventListener('input', () => this.#showEndpoint());
    $('watch-layer').addEventListener('change', () => {
      this.#watch(this.#viewer.stream, $('watch-layer').value);
    });
    this.#show();
  }

  get link() {
    return this.#viewer.link;
  }

  /** The secret for the stream: a link's is for this stream alone. */
  get #token() {
    return this.#keyOf(this.#viewer.stream) || this.#settings.token;
  }

  /** @param {string} stream @returns {string} Empty if no link is for this stream. */
  #keyOf(stream) {
    return stream === this.#link.stream ? this.#link.key : '';
  }

  /**
   * @param {string} stream The stream in the URL; empty if there is none.
   * @param {string} [key] The secret in it; empty if there is none.
   */
  enter(stream, key = '') {
    this.#inFront = true;
    $('connect').hidden = true;
    this.#linkView.show(this.link, WATCHING_WORDS, (error) =>
      this.#keyOf(this.#viewer.stream) ? explainLink(error) : null,
    );
    const { stream: before, layer } = this.#left;
    this.#left = { stream: '', layer: '' };
    const wanted = stream || before;
    const isOther = stream !== '' && key !== this.#keyOf(stream);
    if (stream) this.#link = { stream, key };
    if (wanted && (wanted !== this.#viewer.stream || isOther)) {
      this.#start(wanted, wanted === before ? layer : '');
    }
    this.#showEndpoint();
    this.#poll.start();
  }

  /** Ends the session; it is opened again when the view is entered. */
  leave() {
    this.#inFront = false;
    const { stream, layer } = this.#viewer;
    this.#left = { stream, layer };
    this.#poll.stop();
    this.#viewer.stop();
  }

  tryNow() {
    $('watch-start').focus();
    if (this.#viewer.wanted) this.link.tryNow();
    else this.#start($('watch-stream').value.trim());
  }

  /** Forgets the link that was opened: the user has entered a token. */
  forgetLink() {
    if (!this.#link.key) return;
    this.#link = NO_LINK;
    if (this.#inFront && this.#viewer.wanted) this.#writeAddress();
  }

  /** Tries again with a new token. */
  refresh() {
    if (this.#viewer.wanted && !this.link.established) this.link.tryNow();
  }

  /** @param {string} stream @param {string} [layer] */
  #start(stream, layer = '') {
    $('watch-stream').value = stream;
    const problem = streamNameProblem(stream);
    $('watch-stream').setAttribute('aria-invalid', String(Boolean(problem)));
    write('watch-stream-problem', problem ?? '');
    if (problem) {
      this.#viewer.stop();
      $('watch-stream').focus();
      return;
    }
    this.#seen = false;
    this.#answer = UNASKED;
    this.#watch(stream, layer);
    this.#writeAddress();
  }

  /** A reload or a copied URL leads to this stream again, a link with its secret. */
  #writeAddress() {
    const { stream } = this.#viewer;
    history.replaceState(null, '', watchPageOf(stream, this.#keyOf(stream)));
  }

  /** @param {string} stream @param {string} layer */
  #watch(stream, layer) {
    this.#viewer.watch(stream, layer);
    this.#showEndpoint();
  }

  #updateNow() {
    if (this.#inFront) this.#poll.start();
  }

  #showEndpoint() {
    const { wanted, stream, layer } = this.#viewer;
    const name = wanted ? stream : $('watch-stream').value.trim();
    showEndpoint('WHEP', streamNameProblem(name) ? '' : viewerEndpointOf(name, layer));
  }

  #show() {
    const { wanted, media, layer } = this.#viewer;
    $('watch-stream').disabled = wanted;
    $('watch-start').textContent = wanted ? 'Stop' : 'Watch';
    $('watch-start').disabled = isHopeless(this.link);
    this.#player.show(media);
    if (this.link.established) return;
    write('watch-sound-note', '');
    showIncoming(null);
    this.#delay.show(null);
    showLayerChoice(null, layer);
    const words = wanted ? 'No connection.' : 'Nothing is watched.';
    write('watch-note', this.link.phase === 'connecting' ? 'Connecting…' : words);
  }

  /** Updates the figures; asks the server at intervals, and when silence begins or ends. */
  async #update() {
    if (!this.link.established || document.hidden) return;
    const statistics = this.#statistics;
    const incoming = await statistics.read();
    const concerns = () => statistics === this.#statistics && this.link.established;
    if (!concerns()) return;
    const lack = this.#lack(incoming);
    showIncoming(incoming);
    this.#delay.update(incoming, performance.now());
    if (!lack) this.#showNote(incoming, lack);
    const now = performance.now();
    const { asked, lack: before } = this.#answer;
    if (lack === before && now - asked < ASKING_PERIOD) return;
    const { stream, layer } = this.#viewer;
    // Without a response, the publisher's state is unknown.
    const live = await fetchStream(stream, this.#token).catch(() => undefined);
    if (!concerns()) return;
    this.#answer = { live, asked: now, lack };
    this.#showNote(incoming, lack);
    if (live) showLayerChoice(live, layer);
    if (live && this.#isRejectedInVain(live)) {
      this.#watch(stream, layer);
      return;
    }
    // If the stream is published and nothing is received, the session may have ended.
    if (lack === 'all' && this.#seen && live !== null) this.link.check();
  }

  /** @param {Incoming} incoming @returns {Lack} */
  #lack({ video, audio }) {
    const count = (video?.packets ?? 0) + (audio?.packets ?? 0);
    const frames = video?.frames ?? 0;
    const now = performance.now();
    if (count > this.#packets.count) this.#packets = { count, since: now };
    if (frames > this.#frames.count) this.#frames = { count: frames, since: now };
    this.#seen ||= Boolean(video?.frames) || (!video?.packets && Boolean(audio?.packets));
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
  #showNote({ video }, lack) {
    const { stream } = this.#viewer;
    const { live } = this.#answer;
    const hasVideo = !live || live.tracks.some(({ kind }) => kind === 'video');
    const note = () => {
      if (lack === 'all' || (hasVideo && !video?.frames)) {
        return describeSilence({ stream, live, seen: this.#seen });
      }
      if (lack === 'picture') return describeStill(stream, live);
      return hasVideo ? '' : describeSound(stream);
    };
    write('watch-note', note());
    write('watch-sound-note', lack === 'all' ? '' : describeMute(stream, live));
  }
}
