/**
 * The chat of the stream that is published here.
 *
 * @module
 */

import { $ } from '../ui/dom.js';
import { addSheet } from '../ui/sheets.js';

/** @typedef {import('../media/chat.js').Chat} Chat */

export class PublishChat {
  /** The one that is shown. @type {Chat|null} */ #chat = null;
  #isCurrent = false;
  #inFront = false;

  /** The view is in front, or not. @param {boolean} inFront */
  enter(inFront) {
    this.#inFront = inFront;
    this.#show();
  }

  /**
   * Shows a chat, once the server has said that there is one.
   *
   * @param {Chat} chat
   * @param {string} stream
   */
  use(chat, stream) {
    if (chat !== this.#chat && chat.welcome) {
      this.#chat = chat;
      this.#load(chat, stream);
    }
    // What was said stays while the connection is lost.
    this.#isCurrent = chat === this.#chat;
    this.#show();
  }

  #show() {
    $('publish-chat').hidden = !this.#isCurrent || !this.#inFront;
  }

  /** @param {Chat} chat @param {string} stream */
  async #load(chat, stream) {
    try {
      const [{ Feed }] = await Promise.all([import('../feed.js'), addSheet('feed-sheet')]);
      if (chat !== this.#chat) return;
      $('publish-chat').replaceChildren();
      const chats = new Map([[stream, chat]]);
      const over = $('preview').parentElement;
      new Feed($('publish-chat'), { chats, streams: [stream], ownName: stream, over });
    } catch {
      // The next session tries again.
      if (chat === this.#chat) this.#chat = null;
    }
  }
}
