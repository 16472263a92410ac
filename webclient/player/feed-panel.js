/**
 * The panel of the feed: opened and closed, loaded when it is needed.
 *
 * @module
 */

import { $, announce, make } from '../ui/dom.js';
import { addSheet } from '../ui/sheets.js';

/** @typedef {import('./tile.js').Tile} Tile */

const FAILED = 'This part of the page could not be loaded. Is the device offline?';

export class FeedPanel {
  /** @type {Tile[]} */ #tiles;
  /** @type {() => Tile} */ #front;
  /** What is in it, once it is loaded. @type {import('../feed.js').Feed|null} */ #feed = null;
  #unread = 0;

  /** @param {Tile[]} tiles @param {() => Tile} front Returns the one that is heard. */
  constructor(tiles, front) {
    this.#tiles = tiles;
    this.#front = front;
    $('show-feed').hidden = false;
    $('show-feed').addEventListener('click', () => this.toggle());
    $('feed').addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#close();
    });
    for (const tile of tiles) tile.addEventListener('state', () => this.#update(tile));
    this.#show();
    if (this.#hasChat) this.#load();
  }

  get #hasChat() {
    return this.#tiles.some(({ chat }) => chat);
  }

  toggle() {
    if ($('feed').hidden) this.open();
    else this.#close();
  }

  open() {
    $('feed').hidden = false;
    this.#unread = 0;
    this.#show();
    this.#feed?.showNewest();
    this.#load();
  }

  /** The tile that is heard is another one. */
  brought() {
    this.#feed?.bring(this.#front().stream);
  }

  #close() {
    const held = $('feed').contains(document.activeElement);
    $('feed').hidden = true;
    this.#show();
    if (held) $('show-feed').focus();
  }

  async #load() {
    if (this.#feed) return;
    try {
      const [{ Feed }] = await Promise.all([import('../feed.js'), addSheet('feed-sheet')]);
      if (this.#feed) return;
      const shut = make('button', { type: 'button', className: 'icon', title: 'Close (c)' }, '✕');
      shut.setAttribute('aria-label', 'Close');
      shut.addEventListener('click', () => this.#close());
      $('feed').replaceChildren();
      this.#feed = this.#fill(Feed, shut);
    } catch {
      $('feed').replaceChildren(make('p', { className: 'small' }, FAILED));
    }
  }

  /** @param {typeof import('../feed.js').Feed} Feed @param {HTMLElement} shut */
  #fill(Feed, shut) {
    const tiles = this.#tiles;
    const talking = tiles.filter(({ chat }) => chat);
    const options = {
      chats: new Map(talking.map(({ stream, chat }) => [stream, chat])),
      streams: tiles.map(({ stream }) => stream),
      ownName: '',
      over: $('tiles'),
    };
    const feed = new Feed($('feed'), options, [shut]);
    feed.bring(this.#front().stream);
    feed.addEventListener('message', () => {
      if (!$('feed').hidden) return;
      this.#unread += 1;
      this.#show();
      if (this.#unread === 1) announce('There is a new message in the chat.');
    });
    for (const tile of tiles) feed.update(tile.stream, tile.watching.live, {});
    return feed;
  }

  /** @param {Tile} tile */
  #update({ stream, watching, video }) {
    const { videoWidth: width, videoHeight: height } = video;
    this.#feed?.update(stream, watching.live, { width, height });
  }

  #show() {
    const isOpen = !$('feed').hidden;
    const word = this.#hasChat ? 'Chat' : 'Events';
    const count = this.#unread;
    const button = $('show-feed');
    const about = count ? `, ${count === 1 ? '1 new message' : `${count} new messages`}` : '';
    button.setAttribute('aria-expanded', String(isOpen));
    button.setAttribute('aria-label', word + about);
    button.title = `${word} (c)`;
    $('unread').hidden = !count;
    $('unread').textContent = count > 99 ? '99+' : String(count);
    $('stage').classList.toggle('has-feed', isOpen);
  }
}
