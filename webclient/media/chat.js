/**
 * The chat of a stream, over one session after another. See docs/api.md.
 *
 * @module
 */

const LABEL = 'broadcast';
const PROTOCOL = 'whipbird.chat';

/** Messages whose ids are remembered, to recognize those that come again. */
const REMEMBERED = 200;

/**
 * What the server sends; `isOld` and `isOwn` are added here.
 *
 * @typedef {object} Heard
 * @property {'welcome'|'message'|'reactions'|'refused'} type
 * @property {string} [id]
 * @property {string} [ref]
 * @property {string} [time] RFC 3339.
 * @property {'viewer'|'publisher'} [from]
 * @property {string} [name]
 * @property {string} [text]
 * @property {Record<string, number>} [counts] How many reactions, by emoji.
 * @property {string[]} [emoji] The reactions that there are.
 * @property {{name: number, text: number}} [limits] Characters.
 * @property {string} [code] Why a request was refused.
 * @property {string} [detail] The same in words.
 * @property {boolean} [isOld] Whether it was said before this page has listened.
 * @property {boolean} [isOwn] Whether it was said here.
 */

/**
 * Events:
 * - `heard`: CustomEvent<Heard>; those before `listen()` wait for it;
 * - `change`: `welcome` has changed.
 */
export class Chat extends EventTarget {
  /** What the server said when this session joined; null: it has not. @type {Heard|null} */
  welcome = null;
  /** @type {RTCDataChannel|null} */ #channel = null;
  /** What came before anybody listened; null afterwards. @type {Heard[]|null} */ #waiting = [];
  /** How many of the next messages are old ones. */
  #old = 0;
  /** @type {Set<string>} */ #known = new Set();
  #asked = 0;

  /**
   * Joins with a new session, before its offer is made.
   *
   * @param {RTCPeerConnection} pc
   */
  open(pc) {
    const channel = pc.createDataChannel(LABEL, { protocol: PROTOCOL });
    this.#channel = channel;
    this.#setWelcome(null);
    channel.addEventListener('message', ({ data }) => {
      if (channel === this.#channel) this.#receive(JSON.parse(data));
    });
    channel.addEventListener('close', () => {
      if (channel === this.#channel) this.#setWelcome(null);
    });
  }

  /** Whether messages can be sent. */
  get isOpen() {
    return this.welcome !== null && this.#channel?.readyState === 'open';
  }

  /** Dispatches what has come, and what comes. */
  listen() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const heard of waiting) this.#tell(heard);
  }

  /**
   * @param {string} name
   * @param {string} text
   * @returns {string} The reference that the answer has.
   */
  say(name, text) {
    return this.#ask({ type: 'message', name, text });
  }

  /** @param {string} emoji @returns {string} The reference that a refusal has. */
  react(emoji) {
    return this.#ask({ type: 'reaction', emoji });
  }

  #ask(request) {
    this.#asked += 1;
    const ref = String(this.#asked);
    this.#channel.send(JSON.stringify({ ...request, ref }));
    return ref;
  }

  /** @param {Heard} heard */
  #receive(heard) {
    if (heard.type === 'welcome') {
      this.#old = heard.history;
      this.#setWelcome(heard);
    } else if (heard.type === 'message') {
      heard.isOwn = heard.ref !== undefined;
      heard.isOld = this.#old > 0;
      this.#old = Math.max(0, this.#old - 1);
      // A new session gets those again that the last one has got.
      if (this.#known.has(heard.id)) return;
      this.#known.add(heard.id);
      if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.values().next().value);
    } else if (heard.type === 'refused' && heard.code === 'off') {
      this.#setWelcome(null);
    }
    if (this.#waiting) this.#waiting.push(heard);
    else this.#tell(heard);
  }

  /** @param {Heard} heard */
  #tell(heard) {
    this.dispatchEvent(new CustomEvent('heard', { detail: heard }));
  }

  /** @param {Heard|null} welcome */
  #setWelcome(welcome) {
    this.welcome = welcome;
    this.dispatchEvent(new Event('change'));
  }
}
