/**
 * Where messages are written and reactions sent.
 *
 * @module
 */

import { make } from '../ui/dom.js';
import { rememberChatName, rememberedChatName } from '../ui/settings.js';

/** @typedef {import('../media/chat.js').Chat} Chat */
/** @typedef {import('../media/chat.js').Heard} Heard */

/** What screen readers call the reactions. */
const WORDS = {
  '👍': 'Thumbs up',
  '❤️': 'Heart',
  '😂': 'Laughter',
  '😮': 'Wow',
  '👏': 'Applause',
  '🎉': 'Party',
};

export class ChatForm {
  /** @type {HTMLFormElement} */ element;
  /** @type {Chat|null} */ #chat = null;
  /** The reference of the message that is not answered yet. */
  #sent = '';
  /** The reactions in the buttons. */
  #emoji = '';
  #name = make('input', { type: 'text', autocomplete: 'nickname', className: 'chat-name' });
  #text = make('input', { type: 'text', autocomplete: 'off', className: 'chat-text' });
  #send = make('button', { type: 'submit' }, 'Send');
  #reactions = make('div', { className: 'reactions' });
  #note = make('p', { className: 'chat-note' });

  /** @type {boolean} */ #remembers;

  /** @param {string} ownName The name to write with; empty: the one of the last visit. */
  constructor(ownName) {
    this.#remembers = !ownName;
    this.#name.value = ownName || rememberedChatName();
    this.#text.setAttribute('aria-label', 'Message');
    this.#text.placeholder = 'Message';
    this.#text.setAttribute('enterkeyhint', 'send');
    this.#reactions.setAttribute('role', 'group');
    this.#reactions.setAttribute('aria-label', 'Reactions');
    this.#note.setAttribute('role', 'alert');
    const name = make('label', { className: 'chat-as' }, 'Your name ', this.#name);
    const line = make('div', { className: 'chat-line' }, this.#text, this.#send);
    this.element = make('form', { className: 'chat-form', noValidate: true });
    this.element.append(this.#reactions, name, line, this.#note);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('input', () => this.#say(''));
  }

  /** @param {Chat|null} chat The one to write to. */
  use(chat) {
    this.#chat = chat;
    const { welcome } = chat ?? {};
    const isOpen = Boolean(chat?.isOpen);
    this.element.hidden = !chat;
    for (const part of [this.#text, this.#send]) part.disabled = !isOpen;
    if (welcome) {
      this.#name.maxLength = welcome.limits.name;
      this.#text.maxLength = welcome.limits.text;
      this.#offer(welcome.emoji);
    }
    for (const button of this.#reactions.children) button.disabled = !isOpen;
  }

  /** @param {Heard} heard An answer, or what others have said. */
  hear({ type, ref, detail, name }) {
    if (type === 'refused') this.#say(detail);
    if (!ref || ref !== this.#sent) return;
    this.#sent = '';
    // What was refused can be changed, or sent again later.
    if (type !== 'message') return;
    this.#text.value = '';
    if (this.#remembers) rememberChatName(name);
  }

  /** @param {string[]} emoji */
  #offer(emoji) {
    if (this.#emoji === emoji.join()) return;
    this.#emoji = emoji.join();
    const buttons = emoji.map((each) => {
      const button = make('button', { type: 'button', title: WORDS[each] ?? each }, each);
      button.setAttribute('aria-label', WORDS[each] ?? each);
      button.addEventListener('click', () => {
        if (this.#chat?.isOpen) this.#chat.react(each);
      });
      return button;
    });
    this.#reactions.replaceChildren(...buttons);
  }

  #submit() {
    const name = this.#name.value.trim();
    if (!name) {
      this.#say('Others need a name to answer to.');
      this.#name.focus();
      return;
    }
    if (!this.#text.value.trim() || !this.#chat?.isOpen) return;
    this.#say('');
    this.#sent = this.#chat.say(name, this.#text.value);
  }

  /** @param {string} note */
  #say(note) {
    if (this.#note.textContent !== note) this.#note.textContent = note;
  }
}
