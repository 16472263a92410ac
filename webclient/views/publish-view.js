/**
 * The Publish view: connects its form, publisher, preview and figures.
 *
 * @module
 */

import { $, grouped, make, write } from '../ui/dom.js';
import { codecName, sendableCodecs } from '../media/encoding.js';
import { OutgoingStatistics } from '../media/outgoing-statistics.js';
import { Poll } from '../ui/poll.js';
import { OnAirControls } from './on-air-controls.js';
import { PublishChat } from './publish-chat.js';
import { showEncodings } from './publish-figures.js';
import { Publisher } from '../media/publisher.js';
import {
  endpointOf,
  randomStreamName,
  rememberPublishing,
  rememberedPublishing,
  streamNameProblem,
  watchPageOf,
} from '../ui/settings.js';
import { fetchStream } from '../resources/streams-api.js';
import { describeViewers } from '../media/media-words.js';
import { PUBLISHING_WORDS, isHopeless, showEndpoint } from './view.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../media/publisher.js').PublishWish} PublishWish */
/** @typedef {import('../ui/settings.js').Settings} Settings */

const MIN_BITRATE = 30;
const MAX_BITRATE = 50_000;
/** Milliseconds between updates of the figures. */
const PERIOD = 1000;
/** In place of a preview. */
const IDLE = 'Nothing is sent yet. Choose a source, then press Start.';
const ASKING = 'The browser asks for permission…';

/**
 * @param {string} text The user's input, in kb/s.
 * @returns {string|null} A description of the error; null if there is none.
 */
export function bitrateProblem(text) {
  const bitrate = /^\d{1,6}$/.test(text.trim()) ? Number(text) : 0;
  if (bitrate >= MIN_BITRATE && bitrate <= MAX_BITRATE) return null;
  return `Please enter a whole number from ${MIN_BITRATE} to ${grouped(MAX_BITRATE)} kb/s.`;
}

export class PublishView {
  title = 'Whipbird publish';
  /** @type {Publisher} */ #publisher;
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#update(), PERIOD);
  /** The statistics of the connection. @type {OutgoingStatistics|null} */ #statistics = null;
  /** @type {OnAirControls} */ #controls;
  #chat = new PublishChat();
  #left = false;
  /** The source and devices that are being taken on air. @type {Partial<PublishWish>|null} */
  #choice = null;
  /** Aborts the current request to the server. */
  #asking = new AbortController();

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    this.#publisher = new Publisher(() => settings.token);
    const named = new URLSearchParams(location.search).get('stream') ?? '';
    $('publish-stream').value = streamNameProblem(named) ? randomStreamName('live') : named;
    for (const type of sendableCodecs()) {
      $('codec').append(make('option', { value: type }, codecName(type)));
    }
    this.#restore();
    this.#controls = new OnAirControls(this.#publisher, () => this.#switch());
    this.#publisher.addEventListener('change', () => this.#show());
    this.#publisher.addEventListener('chat', () => this.#showChat());
    this.link.addEventListener('change', () => this.#show());
    this.link.addEventListener('session', () => {
      this.#statistics = new OutgoingStatistics(this.link.client.pc);
    });
    $('publish-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#publisher.wanted) this.#publisher.stop();
      else this.#start();
    });
    $('publish-stream').addEventListener('input', () => this.#showEndpoint());
    addEventListener('beforeunload', (event) => {
      // The browser asks whether to leave.
      if (this.#publisher.wanted) event.preventDefault();
    });
    this.#show();
  }

  get ready() {
    return this.#controls.ready;
  }

  get link() {
    return this.#publisher.link;
  }

  /** @param {string} stream The stream in the URL; empty if there is none. */
  enter(stream) {
    if (stream && !this.#publisher.wanted) {
      $('publish-stream').value = stream;
      this.#checkStream();
    }
    $('connect').hidden = true;
    this.#left = false;
    this.#showEndpoint();
    this.#linkView.show(this.link, PUBLISHING_WORDS);
    this.#poll.start();
    this.#controls.enter(true);
    this.#chat.enter(true);
  }

  /** Publishing continues: the user may want to see the stream in another view. */
  leave() {
    this.#poll.stop();
    this.#controls.enter(false);
    this.#chat.enter(false);
  }

  /** Ends publishing when the page is left. */
  end() {
    // What is remembered stays: a reload goes on with it.
    this.#left = true;
    this.#publisher.leave();
  }

  tryNow() {
    $('publish-start').focus();
    if (this.#publisher.wanted) this.link.tryNow();
    else this.#start();
  }

  async #start() {
    const wish = this.#readForm();
    if (!wish) return;
    // A reload or a copied URL leads to this stream again.
    const name = encodeURIComponent(wish.stream);
    history.replaceState(null, '', `#publish/${name}`);
    write('publish-note', '');
    await this.#publisher.start(wish);
  }

  /** Goes on air with another source or device, or takes it for the next start. */
  async #switch() {
    if (!this.#publisher.source) return;
    const choice = this.#readSource();
    this.#choice = choice;
    // The page may be left before it is on air.
    this.#remember();
    await this.#publisher.switchTo(choice);
    // Else there is a newer one, which is to stay.
    if (choice !== this.#choice) return;
    this.#choice = null;
    // What it is now: the choice may not have been possible.
    const { wish } = this.#publisher;
    for (const id of ['source', 'camera', 'microphone']) $(id).value = wish[id];
    this.#remember();
  }

  /** Takes the choices from before a reload; if it was on air, it offers to go on. */
  #restore() {
    const before = rememberedPublishing();
    if (!before || new URLSearchParams(location.search).has('stream')) return;
    const { wish, onAir } = before;
    $('publish-stream').value = wish.stream;
    $('source').value = wish.source;
    $('resolution').value = `${wish.width}x${wish.height}`;
    $('frame-rate').value = wish.frameRate;
    $('sound').checked = wish.audio;
    $('codec').value = wish.codec;
    $('bitrate').value = wish.bitrate / 1000;
    $('simulcast').checked = wish.simulcast;
    for (const id of ['camera', 'microphone']) {
      if (!wish[id]) continue;
      // It is called by its name as soon as the browser tells it.
      $(id).append(make('option', { value: wish[id] }, 'That of before'));
      $(id).value = wish[id];
    }
    if (onAir) {
      write('publish-note', `The page was left while “${wish.stream}” was on air. Start goes on.`);
    }
  }

  #remember() {
    const { wish, wanted } = this.#publisher;
    if (wish) rememberPublishing({ wish: { ...wish, ...this.#choice }, onAir: wanted });
  }

  /** @returns {boolean} Whether it is a stream name; if not, a message is shown. */
  #checkStream() {
    return this.#check('publish-stream', streamNameProblem($('publish-stream').value.trim()));
  }

  /** @param {string} id The id of a field. @param {string|null} problem */
  #check(id, problem) {
    $(id).setAttribute('aria-invalid', String(Boolean(problem)));
    write(`${id}-problem`, problem ?? '');
    return !problem;
  }

  /** @returns {PublishWish|null} Null, with a message, if the form is invalid. */
  #readForm() {
    const named = this.#checkStream();
    const bounded = this.#check('bitrate', bitrateProblem($('bitrate').value));
    if (!named || !bounded) {
      $(named ? 'bitrate' : 'publish-stream').focus();
      return null;
    }
    const [width, height] = $('resolution').value.split('x').map(Number);
    return {
      stream: $('publish-stream').value.trim(),
      ...this.#readSource(),
      width,
      height,
      frameRate: Number($('frame-rate').value),
      audio: $('sound').checked,
      codec: $('codec').value,
      bitrate: 1000 * Number($('bitrate').value),
      simulcast: $('simulcast').checked,
    };
  }

  #readSource() {
    return {
      source: $('source').value,
      camera: $('camera').value,
      microphone: $('microphone').value,
    };
  }

  #showEndpoint() {
    const name = $('publish-stream').value.trim();
    const valid = !streamNameProblem(name);
    showEndpoint('WHIP', valid ? endpointOf(name) : '');
    $('publish-page-line').hidden = !valid;
    $('publish-page').href = watchPageOf(name);
    write('publish-page', watchPageOf(name));
  }

  #show() {
    const { source, asking, wanted, problem } = this.#publisher;
    $('publish-options').disabled = wanted;
    $('publish-start').textContent = wanted ? 'Stop' : 'Start';
    $('publish-start').classList.toggle('stop', wanted);
    $('publish-start').disabled = isHopeless(this.link);
    write('publish-problem', problem);
    const media = source?.media ?? null;
    if ($('preview').srcObject !== media) $('preview').srcObject = media;
    $('preview').classList.toggle('is-empty', !media);
    const note = asking ? ASKING : IDLE;
    write('preview-note', media ? '' : note);
    $('on-air').hidden = this.link.phase !== 'connected';
    if (!this.link.established) this.#asking.abort();
    this.#controls.show();
    if (!this.#left) this.#remember();
    if (!wanted) this.#showReceived([], null);
  }

  #showChat() {
    const { chat, wish } = this.#publisher;
    this.#chat.use(chat, wish.stream);
  }

  /**
   * @param {import('../media/outgoing-statistics.js').SentEncoding[]} sent
   * @param {import('../resources/streams-api.js').LiveStream|null} received
   */
  #showReceived(sent, received) {
    showEncodings(sent, received, this.#publisher.wish?.bitrate);
    write('publish-viewers', received ? describeViewers(received.viewers) : '');
    $('publish-rec').hidden = received?.recording?.state !== 'recording';
  }

  /** Updates the figures from the statistics and from the server. */
  async #update() {
    if (!this.link.established || document.hidden) return;
    const statistics = this.#statistics;
    this.#asking = new AbortController();
    const { wish } = this.#publisher;
    const [sent, received] = await Promise.all([
      statistics.read(),
      // Without a response, what is received is shown as unknown.
      fetchStream(wish.stream, this.#settings.token, this.#asking.signal).catch(() => null),
    ]);
    const current = statistics === this.#statistics && this.link.established;
    if (current) this.#showReceived(sent, received);
  }
}
