/**
 * The Watch view: connects its form, what is watched, player and figures.
 *
 * @module
 */

import { DelayControl } from './delay-control.js';
import { $, write } from '../ui/dom.js';
import { showLayerChoice } from './layer-choice.js';
import { Player } from '../ui/player.js';
import { streamNameProblem, viewerEndpointOf } from '../ui/settings.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';
import { Watching } from '../media/watching.js';
import { showIncoming } from './watch-figures.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/settings.js').Settings} Settings */

const WATCHING_WORDS = {
  ...CONNECTION_WORDS,
  idle: 'Not watching',
  conflict: 'Nobody publishes this stream now',
};

/** In place of a picture. */
const IDLE =
  'Nothing is watched. Enter the name of a stream above, or choose one in Streams.';

export class WatchView {
  title = 'Whipbird watch';
  /** @type {Watching} */ #watching;
  #player = new Player();
  /** @type {DelayControl} */ #delay;
  /** @type {LinkView} */ #linkView;
  /** The watched stream and layer when the view was left. */
  #left = { stream: '', layer: '' };

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#linkView = linkView;
    this.#watching = new Watching(() => settings.token);
    this.#delay = new DelayControl(settings);
    this.#watching.addEventListener('change', () => this.#show());
    this.#watching.addEventListener('reading', () => this.#showReading());
    this.#watching.addEventListener('words', () => this.#showWords());
    this.link.addEventListener('session', () => this.#delay.follow(this.link.client.pc));
    // There is a picture: update the note at once.
    $('watch-video').addEventListener('loadeddata', () => this.#watching.updateNow());
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
    return this.#watching.link;
  }

  get #viewer() {
    return this.#watching.viewer;
  }

  /** @param {string} stream The stream in the URL; empty if there is none. */
  enter(stream) {
    $('connect').hidden = true;
    this.#linkView.show(this.link, WATCHING_WORDS);
    const { stream: before, layer } = this.#left;
    this.#left = { stream: '', layer: '' };
    const wanted = stream || before;
    if (wanted && wanted !== this.#viewer.stream) {
      this.#start(wanted, wanted === before ? layer : '');
    }
    this.#showEndpoint();
    this.#watching.follow();
  }

  /** Ends the session; it is opened again when the view is entered. */
  leave() {
    const { stream, layer } = this.#viewer;
    this.#left = { stream, layer };
    this.#watching.rest();
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
    this.#watch(stream, layer);
  }

  /** @param {string} stream @param {string} layer */
  #watch(stream, layer) {
    this.#watching.watch(stream, layer);
    this.#showEndpoint();
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
    $('watch-start').classList.toggle('stop', wanted);
    $('watch-start').disabled = isHopeless(this.link);
    this.#player.show(media);
    if (this.link.established) return;
    write('watch-sound-note', '');
    showIncoming(null);
    this.#delay.show(null);
    showLayerChoice(null, layer);
    const words = wanted ? 'No connection.' : IDLE;
    write('watch-note', this.link.phase === 'connecting' ? 'Connecting…' : words);
  }

  #showReading() {
    const { incoming } = this.#watching;
    showIncoming(incoming);
    this.#delay.adapt(incoming, performance.now());
    this.#delay.show(incoming);
  }

  #showWords() {
    const { note, soundNote, live } = this.#watching;
    write('watch-note', note);
    write('watch-sound-note', soundNote);
    if (live) showLayerChoice(live, this.#viewer.layer);
  }
}
