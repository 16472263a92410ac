/**
 * The buttons and keys of the stage.
 *
 * @module
 */

import { $ } from '../ui/dom.js';

/** @typedef {import('./tile.js').Tile} Tile */

/** The full screen method of iPhones, which lack the standard one. */
const APPLE_FULL_SCREEN = 'webkitEnterFullscreen';

/** @param {string} id @param {string} state @param {string} words @param {string} key */
function showState(id, state, words, key) {
  const button = $(id);
  if (button.dataset.state === state && button.title) return;
  button.dataset.state = state;
  button.setAttribute('aria-label', words);
  button.title = `${words} (${key})`;
}

export class Controls {
  /** @type {Tile[]} */ #tiles;
  /** @type {() => Tile} */ #front;
  /** @type {() => void} */ #toggleFeed;

  /**
   * @param {Tile[]} tiles
   * @param {() => Tile} front Returns the one that is heard.
   * @param {() => void} toggleFeed Opens or closes the feed, if there is one.
   */
  constructor(tiles, front, toggleFeed) {
    this.#toggleFeed = toggleFeed;
    this.#tiles = tiles;
    this.#front = front;
    $('play').addEventListener('click', () => this.togglePlay());
    $('mute').addEventListener('click', () => this.toggleSound());
    $('unmute').addEventListener('click', () => this.unmute());
    $('volume').addEventListener('input', () => {
      const video = this.#video;
      video.volume = Number($('volume').value) / 100;
      video.muted = video.volume === 0;
    });
    $('full-screen').hidden = !document.fullscreenEnabled && !this.#video[APPLE_FULL_SCREEN];
    $('full-screen').addEventListener('click', () => this.toggleFullScreen());
    document.addEventListener('fullscreenchange', () => this.show());
    $('small-window').hidden = !document.pictureInPictureEnabled;
    $('small-window').addEventListener('click', () => this.#toggleSmallWindow());
    document.addEventListener('keydown', (event) => this.#press(event));
  }

  get #video() {
    return this.#front().video;
  }

  togglePlay() {
    const plays = this.#plays;
    for (const tile of this.#tiles) {
      if (plays) tile.pause();
      else tile.play();
    }
  }

  toggleSound() {
    if (this.#video.muted) this.unmute();
    else this.#video.muted = true;
  }

  unmute() {
    const video = this.#video;
    const held = document.activeElement === $('unmute');
    if (video.volume === 0) video.volume = 1;
    video.muted = false;
    this.#front().play();
    this.show();
    // The button that was pressed has gone.
    if (held) $('mute').focus();
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.fullscreenEnabled) $('stage').requestFullscreen().catch(() => {});
    else this.#video[APPLE_FULL_SCREEN]?.();
  }

  /** Shows what the buttons do now. */
  show() {
    const { muted, volume } = this.#video;
    const plays = this.#plays;
    showState('play', plays ? 'playing' : 'paused', plays ? 'Pause' : 'Play', 'space');
    showState('mute', muted ? 'muted' : 'audible', muted ? 'Unmute' : 'Mute', 'm');
    const full = document.fullscreenElement !== null;
    const words = full ? 'Leave full screen' : 'Full screen';
    showState('full-screen', full ? 'full' : 'windowed', words, 'f');
    $('volume').value = String(muted ? 0 : Math.round(100 * volume));
    const { isLive, hasSound, paused } = this.#front();
    $('unmute').hidden = !muted || !isLive || !hasSound || paused;
  }

  get #plays() {
    const { paused, watching } = this.#front();
    return watching.viewer.wanted && !paused;
  }

  async #toggleSmallWindow() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#video.requestPictureInPicture();
    } catch {
      // There is no picture yet.
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (target.closest('dialog, select, textarea, input:not([type="range"])')) return;
    if (key === 'm') this.toggleSound();
    else if (key === 'f') this.toggleFullScreen();
    else if (key === 'c') this.#toggleFeed();
    // On a button, space presses it.
    else if (key === ' ' && !target.closest('button')) this.togglePlay();
    else return;
    event.preventDefault();
  }
}
