/**
 * The feed: what is said in the chats of streams, and what happens to them. It is loaded
 * when it is opened, or when there is a chat.
 *
 * @module
 */

import { make } from './ui/dom.js';
import { ChatForm } from './feed/chat-form.js';
import { FeedLog } from './feed/feed-log.js';
import { Floating } from './feed/floating.js';
import { Story } from './feed/story.js';

/** @typedef {import('./media/chat.js').Chat} Chat */

/**
 * @typedef {object} FeedOptions
 * @property {Map<string, Chat>} chats By the name of the stream; none without a chat.
 * @property {string[]} streams
 * @property {string} ownName The name to write with; empty: the one of the last visit.
 * @property {HTMLElement} over Over which reactions float.
 */

/** Events: `message`, CustomEvent<{stream: string}>: somebody else has said something. */
export class Feed extends EventTarget {
  /** @type {Map<string, Chat>} */ #chats;
  /** @type {FeedLog} */ #log;
  /** @type {ChatForm} */ #form;
  #floating = new Floating();
  /** @type {Map<string, Story>} */ #stories;
  #heading = make('h2', { id: 'feed-heading' });
  /** The stream that messages go to. */
  #front = '';

  /**
   * @param {HTMLElement} element Where it is shown.
   * @param {FeedOptions} options
   * @param {HTMLElement[]} [buttons] Beside the heading.
   */
  constructor(element, { chats, streams, ownName, over }, buttons = []) {
    super();
    this.#chats = chats;
    this.#stories = new Map(streams.map((stream) => [stream, new Story()]));
    this.#log = new FeedLog(streams.length > 1);
    this.#form = new ChatForm(ownName);
    const head = make('div', { className: 'feed-head' }, this.#heading, ...buttons);
    element.append(head, this.#log.element, this.#form.element);
    element.setAttribute('aria-labelledby', 'feed-heading');
    over.append(this.#floating.element);
    for (const [stream, chat] of chats) this.#follow(stream, chat);
    this.bring(streams[0]);
  }

  /** @param {string} stream The one that messages go to from now on. */
  bring(stream) {
    this.#front = stream;
    const about = this.#stories.size > 1 ? ` on ${stream}` : '';
    this.#heading.textContent = this.#chats.has(stream) ? `Chat${about}` : 'Events';
    this.#form.use(this.#chats.get(stream) ?? null);
  }

  /**
   * Adds what has happened since the last time.
   *
   * @param {string} stream
   * @param {import('./resources/streams-api.js').LiveStream|null|undefined} live
   * @param {{width?: number|null, height?: number|null}} picture What is seen of it.
   */
  update(stream, live, picture) {
    for (const happening of this.#stories.get(stream).update(live, picture)) {
      this.#log.addHappening(stream, happening);
    }
  }

  /** Shows the newest entry: the feed has become visible. */
  showNewest() {
    this.#log.showNewest();
  }

  /** @param {string} stream @param {Chat} chat */
  #follow(stream, chat) {
    chat.addEventListener('change', () => {
      if (stream === this.#front) this.#form.use(chat);
    });
    chat.addEventListener('heard', ({ detail }) => {
      if (detail.type === 'message') this.#log.addMessage(stream, detail);
      if (detail.type === 'reactions') this.#floating.show(detail.counts);
      if (stream === this.#front) this.#form.hear(detail);
      if (detail.type === 'message' && !detail.isOld && !detail.isOwn) {
        this.dispatchEvent(new CustomEvent('message', { detail: { stream } }));
      }
    });
    chat.listen();
  }
}
