/**
 * Shows the link of the current view: its state and problem at the top, its session at
 * the side.
 *
 * @module
 */

import { $ } from '../ui/dom.js';
import * as view from './view.js';

/** @typedef {import('../link/link.js').Link} Link */
/** @typedef {import('./view.js').StateWords} StateWords */

/** Milliseconds after which a running retry is shown. */
const RETRY_GRACE = 400;

export class LinkView {
  /** The shown link. @type {Link|null} */ link = null;
  /** @type {StateWords|null} */ #words = null;
  #shown = new AbortController();
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #later;
  /** @type {number|undefined} */ #frame;

  constructor() {
    $('pair').closest('details').addEventListener('toggle', () => {
      if (this.link) view.showPair(this.link);
    });
    $('restart').addEventListener('click', () => this.link?.restart());
    $('problem-fold').addEventListener('click', () => {
      view.foldProblem(!$('problem').classList.contains('is-folded'));
    });
  }

  /**
   * Shows another link from now on.
   *
   * @param {Link|null} link Null if there is no connection to show.
   * @param {StateWords|null} words The names of its states.
   */
  show(link, words) {
    this.#shown.abort();
    clearTimeout(this.#later);
    this.#later = undefined;
    this.link = link;
    this.#words = words;
    for (const id of ['connection', 'setup', 'session', 'endpoint-line']) {
      $(id).hidden = !link;
    }
    if (!link) {
      $('problem').hidden = true;
      return;
    }
    this.#shown = new AbortController();
    this.#follow(link, this.#shown.signal);
    view.showNewSession();
    this.#showLink();
    this.#showSetup();
    view.showTrickle(link);
    view.showPair(link);
  }

  /** @param {Link} link @param {AbortSignal} signal */
  #follow(link, signal) {
    const on = (type, handle) => link.addEventListener(type, handle, { signal });
    on('change', () => this.#changed());
    on('session', () => view.showNewSession());
    on('mark', () => this.#redrawSetup());
    on('countdown', ({ detail }) => view.showCountdown(detail));
    on('trickle', () => view.showTrickle(link));
    on('open', () => view.showPair(link));
    on('recovery', () => {
      view.showState(link, this.#words);
      if (link.recovery.state === 'found') view.showPair(link);
    });
  }

  #changed() {
    // A retry that fails at once is not shown: screen readers would announce it every
    // time, and buttons would change while being pressed.
    if (this.link.phase === 'connecting' && this.link.problem) {
      this.#later ??= setTimeout(() => this.#showLink(), RETRY_GRACE);
    } else {
      this.#showLink();
    }
    this.#redrawSetup();
  }

  #showLink() {
    clearTimeout(this.#later);
    this.#later = undefined;
    view.showState(this.link, this.#words);
    view.showProblem(this.link, this.#words);
  }

  /** Shows the setup with the next frame: several of its steps may come in one. */
  #redrawSetup() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      if (this.link) this.#showSetup();
    });
  }

  #showSetup() {
    view.showSetup(this.link);
    view.showDescriptions(this.link);
  }
}
