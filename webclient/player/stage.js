/**
 * The page of a stream: its tiles, and what concerns all of them.
 *
 * @module
 */

import { onNetworkChange } from '../link/network.js';
import { announce } from '../ui/dom.js';
import { $ } from '../ui/dom.js';
import { rememberToken, rememberedDelay, rememberedToken } from '../ui/settings.js';
import { showLayerChoice } from '../views/layer-choice.js';
import { showIncoming } from '../views/watch-figures.js';
import { Controls } from './controls.js';
import { Curtain } from './curtain.js';
import { FeedPanel } from './feed-panel.js';
import { Tile } from './tile.js';
import { wireSharing } from './sharing.js';

/** @param {string} text @returns {string[]} */
const wordsOf = (text) => text.split(' ').filter(Boolean);

/** @param {URLSearchParams} query @param {string} name @returns {boolean} */
const isOff = (query, name) => ['0', 'false', 'no'].includes(query.get(name) ?? '');

export class Stage {
  /** @type {Tile[]} */ #tiles;
  /** The one that is heard, and whose figures are shown. @type {Tile} */ #front;
  /** @type {Controls} */ #controls;
  /** Null if this page has none. @type {FeedPanel|null} */ #feed = null;
  /** @type {boolean} */ #startsAlone;
  /** @type {import('../ui/settings.js').Settings} */
  #settings = {
    stream: '',
    token: rememberedToken(),
    delay: rememberedDelay(),
    isLink: false,
  };

  /** @param {URLSearchParams} query `autoplay=0`: it waits for a click; `muted=0`: with
   *   sound at once, if the browser permits; `feed=1`: with the feed, which a page in a
   *   frame has not otherwise; `feed=0`: without it. */
  constructor(query) {
    const { streams, chats } = $('stage').dataset;
    const names = [...new Set(wordsOf(streams))];
    const isFramed = $('stage').classList.contains('embed');
    const hasFeed = isFramed ? query.has('feed') && !isOff(query, 'feed') : !isOff(query, 'feed');
    const talking = hasFeed ? wordsOf(chats) : [];
    this.#startsAlone = !isOff(query, 'autoplay');
    this.#tiles = names.map((name) => new Tile(name, this.#settings, talking.includes(name)));
    [this.#front] = this.#tiles;
    this.#front.video.muted = !isOff(query, 'muted');
    $('tiles').dataset.count = String(this.#tiles.length);
    $('tiles').append(...this.#tiles.map(({ element }) => element));
    if (hasFeed) this.#feed = new FeedPanel(this.#tiles, () => this.#front);
    this.#controls = new Controls(this.#tiles, () => this.#front, () => this.#feed?.toggle());
    if (hasFeed && query.has('feed')) this.#feed.open();
    const curtain = new Curtain(() => !this.#front.paused && this.#front.isLive);
    this.#tiles.forEach((tile) => this.#follow(tile, curtain));
    wireSharing(names.join(' + '));
    this.#wireStats();
    $('watch-layer').addEventListener('change', () => {
      this.#front.watching.watch(this.#front.stream, $('watch-layer').value);
    });
    this.#followPage();
    this.#openLink();
    addEventListener('hashchange', () => {
      if (this.#openLink()) this.start();
    });
    this.#bring(this.#front);
  }

  #wireStats() {
    const show = (isOpen) => {
      $('stats').hidden = !isOpen;
      $('show-stats').setAttribute('aria-expanded', String(isOpen));
      this.#showFigures();
    };
    $('show-stats').addEventListener('click', () => show($('stats').hidden));
    for (const id of ['stats', 'bar']) {
      $(id).addEventListener('keydown', ({ key }) => {
        if (key !== 'Escape' || $('stats').hidden) return;
        const isInside = $('stats').contains(document.activeElement);
        show(false);
        if (isInside) $('show-stats').focus();
      });
    }
  }

  /** Starts to play, unless it has to wait for a click. */
  start() {
    if (this.#startsAlone) this.#tiles.forEach((tile) => tile.start());
  }

  /** @param {Tile} tile @param {Curtain} curtain */
  #follow(tile, curtain) {
    tile.addEventListener('reading', () => this.#showFigures());
    tile.addEventListener('state', () => {
      this.#controls.show();
      if (tile === this.#front) this.#showFigures();
    });
    tile.addEventListener('token', ({ detail }) => this.#useToken(detail));
    tile.element.addEventListener('click', (event) => {
      const { target } = event;
      if (target.closest('.cover :is(button, form)')) return;
      if (tile !== this.#front) this.#bring(tile, true);
      else if (target.closest('.cover')) return;
      else if (!$('unmute').hidden) this.#controls.unmute();
      else if (event.pointerType === 'touch') curtain.toggle();
    });
    tile.element.addEventListener('dblclick', () => this.#controls.toggleFullScreen());
  }

  #followPage() {
    addEventListener('pagehide', () => this.#tiles.forEach((tile) => tile.leave()));
    addEventListener('pageshow', (event) => {
      // Restored from the back/forward cache; leaving the page has ended the sessions.
      if (event.persisted) this.start();
    });
    onNetworkChange(() => this.#tiles.forEach(({ link }) => link.networkChanged()));
    // Timers of a hidden page are throttled, so retry at once when it is shown.
    document.addEventListener('visibilitychange', () => {
      for (const { link } of this.#tiles) {
        if (!document.hidden && link.phase === 'waiting') link.tryNow();
      }
    });
  }

  /** @param {Tile} tile The one to hear, and to show the figures of. @param {boolean} [heard] */
  #bring(tile, heard = false) {
    const { muted, volume } = this.#front.video;
    for (const other of this.#tiles) {
      other.element.classList.toggle('is-front', other === tile && this.#tiles.length > 1);
      if (other !== tile) other.video.muted = true;
    }
    this.#front = tile;
    tile.video.volume = volume;
    tile.video.muted = heard ? false : muted;
    if (heard) announce(`You hear ${tile.stream}.`);
    this.#feed?.brought();
    this.#controls.show();
    this.#showFigures();
  }

  #showFigures() {
    const { watching, delay } = this.#front;
    showLayerChoice(watching.live ?? null, watching.viewer.layer);
    if ($('stats').hidden) return;
    showIncoming(watching.incoming);
    delay.show(watching.incoming);
  }

  /** @returns {boolean} Whether the address is a link for viewers, with a secret. */
  #openLink() {
    const key = new URLSearchParams(location.hash.slice(1)).get('key') ?? '';
    this.#settings.isLink = key !== '';
    if (key) this.#settings.token = key;
    return this.#settings.isLink;
  }

  /** @param {string} token */
  #useToken(token) {
    this.#settings.token = token;
    this.#settings.isLink = false;
    history.replaceState(null, '', location.pathname + location.search);
    rememberToken(token);
    for (const { link } of this.#tiles) if (!link.established) link.tryNow();
  }
}
