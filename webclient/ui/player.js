/**
 * A player: a video element with buttons for sound and full screen.
 *
 * @module
 */

import { $ } from './dom.js';

/** The full screen method of iPhones, which lack the standard one. */
const APPLE_FULL_SCREEN = 'webkitEnterFullscreen';

export class Player {
  /** @type {HTMLVideoElement} */ #video = $('watch-video');

  constructor() {
    const video = this.#video;
    $('watch-mute').addEventListener('click', () => {
      video.muted = !video.muted;
      this.#play();
    });
    video.addEventListener('volumechange', () => this.#showSound());
    $('play').addEventListener('click', () => {
      this.#play();
      $('watch-mute').focus();
    });
    $('full-screen').hidden = !document.fullscreenEnabled && !video[APPLE_FULL_SCREEN];
    $('full-screen').addEventListener('click', () => this.#toggleFullScreen());
    document.addEventListener('fullscreenchange', () => {
      const full = document.fullscreenElement !== null;
      $('full-screen').textContent = full ? 'Leave full screen' : 'Full screen';
    });
    this.#showSound();
  }

  /** @param {MediaStream|null} media */
  show(media) {
    const video = this.#video;
    if (video.srcObject === media) return;
    video.srcObject = media;
    video.classList.toggle('is-empty', !media);
    $('play').hidden = true;
    if (media) this.#play();
  }

  async #play() {
    if (!this.#video.srcObject) return;
    try {
      await this.#video.play();
      $('play').hidden = true;
    } catch (error) {
      // Autoplay is blocked, to save power or because of the sound; a click allows it.
      if (error.name === 'NotAllowedError') $('play').hidden = false;
    }
  }

  #showSound() {
    $('watch-mute').textContent = this.#video.muted ? 'Unmute' : 'Mute';
  }

  #toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.fullscreenEnabled) $('player').requestFullscreen().catch(() => {});
    else this.#video[APPLE_FULL_SCREEN]();
  }
}
