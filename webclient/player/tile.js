/**
 * One stream on the stage: its picture, what covers it, its name.
 *
 * @module
 */

import { describeWait, wantsToken } from '../link/problems.js';
import { Chat } from '../media/chat.js';
import { describeViewers } from '../media/media-words.js';
import { Watching } from '../media/watching.js';
import { $ } from '../ui/dom.js';
import { DelayControl } from '../views/delay-control.js';
import { coverOf } from './cover-words.js';

/** @typedef {import('../ui/settings.js').Settings} Settings */

/** Sets the text of an element, if it differs. @param {Element} element */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Events:
 * - `reading`: there are new figures;
 * - `state`: it plays, or does not any more; its sound has changed;
 * - `token`: CustomEvent<string>, the user has entered a token.
 */
export class Tile extends EventTarget {
  /** @type {string} */ stream;
  /** @type {HTMLElement} */ element;
  /** @type {HTMLVideoElement} */ video;
  /** @type {Watching} */ watching;
  /** @type {DelayControl} */ delay;
  /** Its chat; null if it has none. @type {Chat|null} */ chat;
  /** Whether the user has paused it, or has not started it. */
  paused = false;
  /** Whether the browser lets it play only after a click. */
  #blocked = false;
  /** @type {(selector: string) => any} */ #find;
  /** @type {Settings} */ #settings;

  /** @param {string} stream @param {Settings} settings @param {boolean} hasChat */
  constructor(stream, settings, hasChat) {
    super();
    this.chat = hasChat ? new Chat() : null;
    this.#settings = settings;
    this.stream = stream;
    this.element = $('tile').content.firstElementChild.cloneNode(true);
    this.#find = (selector) => this.element.querySelector(selector);
    this.element.setAttribute('aria-label', stream);
    this.video = this.#find('video');
    this.video.muted = true;
    this.video.setAttribute('aria-label', stream);
    this.#find('.name').textContent = stream;
    this.delay = new DelayControl(settings);
    this.watching = new Watching(() => settings.token, this.chat);
    this.#follow();
    this.#wire();
    this.#show();
  }

  get link() {
    return this.watching.link;
  }

  /** Whether its picture or sound comes. */
  get isLive() {
    return this.link.established && Boolean(this.watching.incoming) && this.watching.lack !== 'all';
  }

  /** Whether it has sound, as far as is known. */
  get hasSound() {
    return this.watching.live?.tracks.some(({ kind }) => kind === 'audio') ?? true;
  }

  /** @param {string} [layer] */
  start(layer = '') {
    this.paused = false;
    this.watching.watch(this.stream, layer);
    this.watching.follow();
  }

  /** Ends the session when the page is left. */
  leave() {
    this.watching.rest();
    this.watching.viewer.stop();
  }

  async play() {
    this.paused = false;
    if (!this.watching.viewer.wanted) this.start();
    if (this.video.srcObject) await this.#play();
    this.#show();
  }

  pause() {
    this.paused = true;
    this.video.pause();
    this.#show();
  }

  #follow() {
    const { watching } = this;
    watching.addEventListener('change', () => this.#showMedia());
    watching.addEventListener('words', () => this.#show());
    watching.addEventListener('reading', () => {
      this.delay.adapt(watching.incoming, performance.now());
      this.#show();
      this.dispatchEvent(new Event('reading'));
    });
    this.link.addEventListener('session', () => this.delay.follow(this.link.client.pc));
    this.link.addEventListener('recovery', () => this.#show());
    this.link.addEventListener('countdown', ({ detail }) => {
      put(this.#find('.countdown'), `Trying again in ${describeWait(detail)}`);
    });
    for (const type of ['volumechange', 'play', 'pause']) {
      this.video.addEventListener(type, () => this.dispatchEvent(new Event('state')));
    }
    this.video.addEventListener('loadeddata', () => watching.updateNow());
    this.video.addEventListener('resize', () => this.#show());
  }

  #wire() {
    this.#find('.token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const detail = this.#find('.token-form input').value.trim();
      this.dispatchEvent(new CustomEvent('token', { detail }));
    });
    this.#find('.try-now').addEventListener('click', () => this.link.tryNow());
    this.#find('.start').addEventListener('click', () => this.play());
  }

  #showMedia() {
    const { media } = this.watching.viewer;
    // The last picture stays while there is none.
    if (media && this.video.srcObject !== media) {
      this.video.srcObject = media;
      if (!this.paused) this.#play();
    }
    this.#show();
  }

  async #play() {
    try {
      await this.video.play();
      this.#blocked = false;
    } catch (error) {
      if (error.name !== 'NotAllowedError') return;
      // The browser wants a click for the sound, or, to save power, for anything.
      if (this.video.muted) this.#blocked = true;
      else {
        this.video.muted = true;
        await this.#play();
      }
    }
    this.#show();
  }

  #show() {
    const { watching } = this;
    const waits = !watching.viewer.wanted || this.#blocked;
    const cover = this.paused && watching.incoming ? null : coverOf(watching, this.#settings.isLink);
    this.#find('.cover').hidden = !cover && !waits;
    this.element.classList.toggle('has-picture', this.video.videoWidth > 0);
    this.#find('.start').hidden = !waits;
    put(this.#find('.cover-title'), (!waits && cover?.title) || '');
    put(this.#find('.cover-text'), (!waits && cover?.text) || '');
    this.#showForms(cover);
    this.#find('.live').hidden = !this.isLive;
    const viewers = this.isLive ? watching.live?.viewers : undefined;
    put(this.#find('.viewers'), viewers === undefined ? '' : describeViewers(viewers));
    this.dispatchEvent(new Event('state'));
  }

  /** @param {import('./cover-words.js').Cover|null} cover */
  #showForms(cover) {
    const form = this.#find('.token-form');
    const asks = Boolean(cover?.asksForToken);
    if (asks && form.hidden) {
      form.hidden = false;
      form.querySelector('input').focus();
    }
    // While it is tried, it stays.
    if (!asks && !(this.link.problem && wantsToken(this.link.problem))) form.hidden = true;
    this.#find('.retry').hidden = !cover?.canRetry;
    if (this.link.phase === 'connecting') put(this.#find('.countdown'), 'Trying again…');
    else if (this.link.phase === 'stopped') put(this.#find('.countdown'), '');
  }
}
