/**
 * Plays the files of a recording one after another, in a dialog.
 *
 * @module
 */

import { $ } from '../ui/dom.js';
import { downloadOf } from '../resources/recordings-api.js';

/** @typedef {import('../resources/recordings-api.js').RecordedFile} RecordedFile */

export class RecordingPlayer {
  /** @type {HTMLDialogElement} */ #dialog = $('recording-dialog');
  /** @type {HTMLVideoElement} */ #video = $('recording-video');
  /** @type {RecordedFile[]} */ #files = [];
  #at = 0;

  constructor() {
    $('recording-close').addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => this.#stop());
    this.#video.addEventListener('ended', () => this.#play(this.#at + 1));
    this.#video.addEventListener('error', () => this.#say());
  }

  /**
   * @param {string} title
   * @param {RecordedFile[]} files
   */
  open(title, files) {
    this.#files = files;
    $('recording-title').textContent = title;
    this.#dialog.showModal();
    this.#play(0);
  }

  /** @param {number} at The index of a file. */
  #play(at) {
    if (at >= this.#files.length) return;
    this.#at = at;
    const part = this.#files.length > 1 ? `File ${at + 1} of ${this.#files.length}` : '';
    $('recording-part').textContent = part;
    $('recording-play-problem').textContent = '';
    this.#video.src = downloadOf(this.#files[at]);
    // Without sound, if this browser does not let pages begin with it.
    this.#video.play().catch(() => {});
  }

  #say() {
    if (!this.#video.hasAttribute('src')) return;
    $('recording-play-problem').textContent =
      'This browser cannot play the file. It may lack its codec, or the file may be gone: ' +
      'download it, and play it with another program.';
  }

  /** Lets go of the file: a connection to the server would stay open. */
  #stop() {
    this.#video.pause();
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}
