/**
 * The Watch view: connects its form, viewer, player and figures.
 *
 * @module
 */

import { $, write } from './dom.js';
import { IncomingStatistics } from './incoming-statistics.js';
import { showLayerChoice } from './layer-choice.js';
import { Player } from './player.js';
import { Poll } from './poll.js';
import { streamNameProblem, viewerEndpointOf } from './settings.js';
import { fetchStream } from './streams-api.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';
import { Viewer } from './viewer.js';
import { showIncoming } from './watch-figures.js';
import { describeSilence, describeSound } from './watch-words.js';

/** @typedef {import('./incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./streams-api.js').LiveStream} LiveStream */

const WATCHING_WORDS = {
  ...CONNECTION_WORDS,
  idle: 'Not watching',
  conflict: 'Nobody publishes this stream now',
};

/** Milliseconds between updates of the figures. */
const PERIOD = 1000;
/** ... and between requests to the server, unless something changes. */
const ASKING_PERIOD = 3000;
/** Milliseconds without a packet that count as silence. */
const SILENCE = 1500;

const UNASKED = { live: undefined, asked: -Infinity, silence: false };

export class WatchView {
  title = 'Whipbird watch';
  /** @type {Viewer} */ #viewer;
  #player = new Player();
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#update(), PERIOD);
  #inFront = false;
  /** The watched stream and layer when the view was left. */
  #left = { stream: '', layer: '' };
  /** The statistics of the connection. @type {IncomingStatistics|null} */ #statistics = null;
  /** The server's description of the stream; when it was requested, and if in silence.
   * @type {{live: LiveStream|null|undefined, asked: number, silence: boolean}} */
  #answer = UNASKED;
  /** Whether the stream has been seen or heard, over any connection. */
  #seen = false;
  /** The number of packets received, and the time of its last change. */
  #packets = { count: 0, since: 0 };

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    this.#viewer = new Viewer(() => settings.token);
    this.#viewer.addEventListener('change', () => this.#show());
    this.link.addEventListener('change', () => this.#show());
    this.link.addEventListener('session', () => {
      this.#statistics = new IncomingStatistics(this.link.client.pc);
      this.#packets = { count: 0, since: performance.now() };
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

  /** @param {string} stream The stream in the URL; empty if there is none. */
  enter(stream) {
    this.#inFront = true;
    $('connect').hidden = true;
    this.#linkView.show(this.link, WATCHING_WORDS);
    const { stream: before, layer } = this.#left;
    this.#left = { stream: '', layer: '' };
    const wanted = stream || before;
    if (wanted && wanted !== this.#viewer.stream) {
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
    // A reload or a copied URL leads to this stream again.
    history.replaceState(null, '', `#watch/${encodeURIComponent(stream)}`);
    this.#seen = false;
    this.#answer = UNASKED;
    this.#watch(stream, layer);
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
    showIncoming(null);
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
    const silence = this.#silence(incoming);
    showIncoming(incoming);
    if (!silence) this.#showNote(incoming, silence);
    const now = performance.now();
    const { asked, silence: before } = this.#answer;
    if (silence === before && now - asked < ASKING_PERIOD) return;
    const { stream, layer } = this.#viewer;
    // Without a response, the publisher's state is unknown.
    const live = await fetchStream(stream, this.#settings.token).catch(() => undefined);
    if (!concerns()) return;
    this.#answer = { live, asked: now, silence };
    this.#showNote(incoming, silence);
    if (live) showLayerChoice(live, layer);
    // If the stream is published and nothing is received, the session may have ended.
    if (silence && this.#seen && live !== null) this.link.check();
  }

  /** @param {Incoming} incoming @returns {boolean} Whether no packets are received. */
  #silence({ video, audio }) {
    const count = (video?.packets ?? 0) + (audio?.packets ?? 0);
    const now = performance.now();
    if (count > this.#packets.count) this.#packets = { count, since: now };
    this.#seen ||= Boolean(video?.frames) || (!video?.packets && Boolean(audio?.packets));
    return !count || now - this.#packets.since > SILENCE;
  }

  /** @param {Incoming} incoming @param {boolean} silence */
  #showNote({ video, audio }, silence) {
    const { stream } = this.#viewer;
    const { live } = this.#answer;
    const hasVideo = !live || live.tracks.some(({ kind }) => kind === 'video');
    if (silence || (hasVideo && !video?.frames)) {
      write('watch-note', describeSilence({ stream, live, seen: this.#seen }));
    } else {
      write('watch-note', hasVideo ? '' : describeSound(stream));
    }
  }
}
