/**
 * A conversation with a language model over a data channel; docs/chat.md describes the
 * messages. A reply goes on when the channel is replaced by another one.
 *
 * @module
 */

/** Milliseconds between two pings of the channel, and until one counts as lost. */
const PING_PERIOD = 2000;

/** Round trips of which the median is taken. */
const PINGS = 9;

/**
 * @typedef {object} ChatError
 * @property {string} code
 * @property {string} message
 */

/**
 * @typedef {object} End
 * @property {string} reason `stop`, `length`, `content_filter` or `cancelled`.
 * @property {{prompt_tokens: number, completion_tokens: number}|null} [usage]
 * @property {{first_token_ms: number|null, total_ms: number, tokens_per_second: number|null}}
 *   [timings] At the server: without the network.
 */

/**
 * Events:
 * - `models`: CustomEvent<string[]>;
 * - `text`: CustomEvent<{text: string, isReasoning: boolean}>, some more of the reply;
 * - `end`: CustomEvent<End>, the reply is complete;
 * - `problem`: CustomEvent<ChatError>, there is no reply, or no more of it;
 * - `rtt`: CustomEvent<number>, milliseconds: the median of the last round trips.
 */
export class Chat extends EventTarget {
  /** Milliseconds from the question to the first text of the reply, here. */
  /** @type {number|null} */ firstText = null;
  /** The texts so far that came one by one: about a token each. */
  pieces = 0;
  /** @type {RTCDataChannel|null} */ #channel = null;
  /** @type {{role: string, content: string}[]} */ #history = [];
  /** The id of the conversation at the server; null if it has none. @type {string|null} */
  #conversation = null;
  /** What was asked last; null unless a reply is awaited. @type {any} */ #asked = null;
  #offset = 0;
  #reply = '';
  #number = 0;
  /** @type {Map<string, number>} */ #pings = new Map();
  /** @type {number[]} */ #roundTrips = [];
  /** @type {ReturnType<typeof setInterval>|undefined} */ #timer;

  /** Whether a reply is awaited. */
  get busy() {
    return this.#asked !== null;
  }

  /** Whether anything was said. */
  get isEmpty() {
    return !this.#history.length && !this.busy;
  }

  /** Milliseconds since the first text of the reply. */
  get streaming() {
    return this.firstText === null ? 0 : performance.now() - this.#asked.at - this.firstText;
  }

  /** @param {RTCDataChannel} channel An open channel with the label `chat`. */
  attach(channel) {
    this.#channel = channel;
    channel.addEventListener('message', ({ data }) => {
      if (channel === this.#channel) this.#received(data);
    });
    this.#send({ type: 'models' });
    this.#roundTrips = [];
    this.#ping();
    this.#timer = setInterval(() => this.#ping(), PING_PERIOD);
    if (!this.busy) return;
    if (this.#conversation) {
      const { id } = this.#asked;
      this.#send({ type: 'resume', id, conversation: this.#conversation, offset: this.#offset });
    } else {
      this.#send(this.#asked.message);
    }
  }

  /** The channel is closed, or about to be. */
  detach() {
    clearInterval(this.#timer);
    this.#channel = null;
    this.#pings.clear();
  }

  /**
   * Asks for a reply.
   *
   * @param {string} text
   * @param {{model: string, system: string}} wish
   */
  ask(text, { model, system }) {
    this.#number += 1;
    const id = String(this.#number);
    const content = { role: 'user', content: text };
    const options = { type: 'prompt', id, system, ...(model && { model }) };
    this.firstText = null;
    this.pieces = 0;
    this.#offset = 0;
    this.#reply = '';
    const message = this.#conversation
      ? { ...options, conversation: this.#conversation, messages: [content] }
      : { ...options, messages: [...this.#history, content] };
    this.#asked = { id, content, options, message, at: performance.now() };
    this.#send(message);
  }

  /** Stops the reply; an `end` follows. */
  cancel() {
    if (!this.busy) return;
    if (this.#channel && this.#conversation) {
      this.#send({ type: 'cancel', conversation: this.#conversation });
    } else {
      // The server may go on with it for a while, and take no other question meanwhile.
      this.#conversation = null;
      this.#ended('end', { reason: 'cancelled' });
    }
  }

  /** Begins another conversation. */
  restart() {
    if (this.#conversation) this.#send({ type: 'forget', conversation: this.#conversation });
    this.#conversation = null;
    this.#history = [];
    this.#asked = null;
  }

  /** @param {object} message */
  #send(message) {
    // While there is no channel it waits: `attach` sends it.
    if (this.#channel?.readyState === 'open') this.#channel.send(JSON.stringify(message));
  }

  #ping() {
    this.#number += 1;
    const id = `ping ${this.#number}`;
    if (this.#pings.size < PINGS) this.#pings.set(id, performance.now());
    this.#send({ type: 'ping', id });
  }

  /** @param {string} data */
  #received(data) {
    const message = JSON.parse(data);
    const { type, id } = message;
    if (type === 'pong') this.#ponged(id);
    else if (type === 'models') this.#emit('models', message.models);
    else if (this.busy && id === this.#asked.id) this.#answered(message);
    else if (type === 'error' && !id) this.#emit('problem', message.error);
  }

  #ponged(id) {
    const sent = this.#pings.get(id);
    this.#pings.delete(id);
    if (sent === undefined) return;
    this.#roundTrips = [...this.#roundTrips.slice(1 - PINGS), performance.now() - sent];
    const sorted = [...this.#roundTrips].sort((one, other) => one - other);
    this.#emit('rtt', sorted[sorted.length >> 1]);
  }

  #answered(message) {
    switch (message.type) {
      case 'start':
        this.#conversation = message.conversation;
        break;
      case 'text':
      case 'reasoning': {
        const isReasoning = message.type === 'reasoning';
        this.firstText ??= performance.now() - this.#asked.at;
        this.pieces += 1;
        this.#offset = message.offset;
        if (!isReasoning) this.#reply += message.text;
        this.#emit('text', { text: message.text, isReasoning });
        break;
      }
      case 'end':
        this.#ended('end', message);
        break;
      case 'error':
        this.#failed(message.error);
        break;
      default:
    }
  }

  /** @param {ChatError} error */
  #failed(error) {
    if (error.code === 'unknown_conversation' && this.#conversation && !this.#offset) {
      // The server was started again, or has forgotten it: it is told all of it.
      this.#conversation = null;
      const { content, options } = this.#asked;
      this.#asked.message = { ...options, messages: [...this.#history, content] };
      this.#send(this.#asked.message);
      return;
    }
    if (error.code === 'unknown_conversation') this.#conversation = null;
    this.#ended('problem', error);
  }

  #ended(event, detail) {
    // As at the server: a question without any answer is as if it had not been asked.
    if (this.#reply) {
      const answer = { role: 'assistant', content: this.#reply };
      this.#history.push(this.#asked.content, answer);
    }
    this.#asked = null;
    this.#emit(event, detail);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
