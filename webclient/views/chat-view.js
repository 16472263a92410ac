/**
 * The Chat view: a conversation with a language model, and how long everything takes.
 *
 * @module
 */

import { Chat } from '../chat/chat.js';
import {
  describeFirst,
  describeModel,
  describeReason,
  formatRate,
  formatTokens,
} from '../chat/chat-words.js';
import { Link } from '../link/link.js';
import { formatMs } from '../ping/rtt-statistics.js';
import { $, announce, make, write } from '../ui/dom.js';
import { endpointOf } from '../ui/settings.js';
import { CONNECTION_WORDS, showEndpoint } from './view.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/settings.js').Settings} Settings */

/** Pixels from the end within which the conversation follows what comes. */
const NEAR = 40;

/** Before the first question. */
const WELCOME = 'Ask something, and the answer comes word by word.';

/** A figure with its name. @param {string} id @param {string} name */
const figure = (id, name) => make('div', {}, make('dt', {}, name), make('dd', { id }, '–'));

/** @returns {HTMLElement[]} What the view has in it. */
function build() {
  const text = make('textarea', { id: 'chat-text', rows: 3, placeholder: 'Message' });
  text.setAttribute('aria-describedby', 'chat-problem');
  const log = make('div', { id: 'chat-log', className: 'chat-log', tabIndex: 0 });
  log.setAttribute('role', 'log');
  log.setAttribute('aria-label', 'Conversation');
  const problem = make('p', { id: 'chat-problem', className: 'field-problem' });
  problem.setAttribute('role', 'alert');
  const heading = make('h1', { className: 'visually-hidden', tabIndex: -1 });
  heading.append('Chat with a language model');
  const card = make(
    'section',
    { className: 'card chat' },
    make(
      'div',
      { className: 'card-head' },
      make('h2', { id: 'chat-heading' }, 'Chat'),
      make('button', { id: 'chat-new', type: 'button', className: 'quiet small' }, 'New chat'),
    ),
    make(
      'div',
      { className: 'option' },
      make('label', { htmlFor: 'chat-model' }, 'Model'),
      make('select', { id: 'chat-model' }, make('option', { value: '' }, 'Default')),
    ),
    make(
      'details',
      {},
      make('summary', {}, 'System prompt'),
      make('label', { className: 'visually-hidden', htmlFor: 'chat-system' }, 'System prompt'),
      make('textarea', { id: 'chat-system', rows: 3, placeholder: 'You are a helpful …' }),
    ),
    log,
    problem,
    make(
      'form',
      { id: 'chat-form', className: 'chat-form' },
      make('label', { className: 'visually-hidden', htmlFor: 'chat-text' }, 'Message'),
      text,
      make('button', { id: 'chat-send', type: 'submit' }, 'Send'),
    ),
    make(
      'dl',
      { className: 'figures' },
      figure('chat-first', 'First token'),
      figure('chat-rate', 'Speed'),
      figure('chat-tokens', 'Tokens in + out'),
      figure('chat-rtt', 'Round trip'),
    ),
    make('p', { id: 'chat-note', className: 'note small-note' }, WELCOME),
  );
  card.setAttribute('aria-labelledby', 'chat-heading');
  return [heading, card];
}

export class ChatView {
  title = 'Whipbird chat';
  /** @type {Link} */ link;
  #chat = new Chat();
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  /** The paragraphs of the reply that comes in. @type {{[kind: string]: Text}} */ #into = {};
  /** @type {HTMLElement|null} */ #said = null;
  /** The last question. @type {{text: string, element: HTMLElement}|null} */ #question = null;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    $('chat-view').replaceChildren(...build());
    const target = () => ({ endpoint: this.#endpoint, token: settings.token });
    this.link = new Link(target, { channel: 'chat' });
    this.link.addEventListener('open', () => this.#chat.attach(this.link.channel));
    this.link.addEventListener('close', () => {
      this.#chat.detach();
      write('chat-rtt', '–');
    });
    this.#listenToControls();
    this.#listenToChat();
    this.#show();
  }

  get #endpoint() {
    return endpointOf(this.#settings.stream);
  }

  enter() {
    $('connect').hidden = true;
    showEndpoint('WHIP', this.#endpoint);
    this.#linkView.show(this.link, CONNECTION_WORDS);
    this.link.connect();
  }

  /** Ends the session; the conversation goes on when the view is entered again. */
  leave() {
    this.link.leave();
  }

  tryNow() {
    $('chat-text').focus();
    this.link.tryNow();
  }

  /** Follows other settings. */
  async refresh() {
    await this.link.disconnect();
    this.link.connect();
  }

  #listenToControls() {
    $('chat-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#chat.busy) this.#chat.cancel();
      else this.#ask();
    });
    $('chat-text').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.#chat.busy) this.#ask();
    });
    $('chat-new').addEventListener('click', () => {
      this.#chat.restart();
      $('chat-log').replaceChildren();
      write('chat-problem', '');
      write('chat-note', WELCOME);
      this.#show();
      $('chat-text').focus();
      announce('A new chat.');
    });
  }

  #listenToChat() {
    const on = (type, handle) =>
      this.#chat.addEventListener(type, ({ detail }) => handle(detail));
    on('models', (models) => this.#showModels(models));
    on('rtt', (ms) => write('chat-rtt', formatMs(ms)));
    on('text', ({ text, isReasoning }) => this.#add(text, isReasoning));
    on('end', (end) => {
      const reason = describeReason(end.reason, this.#hasWords);
      write('chat-note', [reason, this.#describeFirst(end)].join(' ').trim());
      write('chat-rate', formatRate(end.timings?.tokens_per_second));
      write('chat-tokens', formatTokens(end.usage));
      this.#finish(end.reason === 'cancelled' ? 'Stopped.' : 'The answer is complete.');
    });
    on('problem', ({ message }) => {
      write('chat-problem', message);
      this.#takeBack();
      this.#finish('');
    });
  }

  #describeFirst({ timings }) {
    return describeFirst(this.#chat.firstText, timings?.first_token_ms);
  }

  #ask() {
    const text = $('chat-text').value.trim();
    if (!text) {
      $('chat-text').focus();
      return;
    }
    write('chat-problem', '');
    write('chat-note', '');
    for (const id of ['first', 'rate', 'tokens']) write(`chat-${id}`, '–');
    $('chat-text').value = '';
    this.#question = { text, element: this.#append('user', 'You', text) };
    this.#said = this.#append('assistant', 'Model', '');
    // Tokens are not read out one by one: the whole message is, at its end.
    this.#said.setAttribute('aria-busy', 'true');
    this.#chat.ask(text, { model: $('chat-model').value, system: $('chat-system').value });
    if (!this.link.active) this.link.tryNow();
    this.#show();
  }

  /**
   * @param {string} role
   * @param {string} name
   * @param {string} text
   * @returns {HTMLElement}
   */
  #append(role, name, text) {
    const message = make('div', { className: 'message' }, make('p', { className: 'who' }, name));
    message.dataset.role = role;
    if (text) message.append(make('p', { className: 'said' }, text));
    this.#into = {};
    this.#following(() => $('chat-log').append(message));
    return message;
  }

  /** @param {string} text @param {boolean} isReasoning */
  #add(text, isReasoning) {
    const kind = isReasoning ? 'thought' : 'said';
    this.#following(() => {
      if (!this.#into[kind]) {
        this.#into[kind] = document.createTextNode('');
        this.#said?.append(make('p', { className: kind }, this.#into[kind]));
      }
      this.#into[kind].appendData(text);
    });
    write('chat-first', formatMs(this.#chat.firstText));
    const { streaming, pieces } = this.#chat;
    if (streaming > 500) write('chat-rate', formatRate((pieces - 1) / (streaming / 1000)));
  }

  /** Changes the conversation; who reads its end sees what comes. @param {() => void} change */
  #following(change) {
    const log = $('chat-log');
    const isNear = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    change();
    if (isNear) log.scrollTop = log.scrollHeight;
  }

  /** A question without any answer can be asked again: it is in its field. */
  #takeBack() {
    if (!this.#question || !this.#said || this.#said.querySelector('.said')) return;
    this.#question.element.remove();
    if (!$('chat-text').value) $('chat-text').value = this.#question.text;
    this.#question = null;
  }

  /** @param {string} words For screen readers. */
  #finish(words) {
    this.#said?.removeAttribute('aria-busy');
    // A reply without a word is shown by its note or its problem.
    if (!this.#hasWords) this.#said?.remove();
    this.#said = null;
    if (words) announce(words);
    this.#show();
  }

  get #hasWords() {
    return Boolean(this.#said?.querySelector('.said, .thought'));
  }

  #show() {
    const { busy, isEmpty } = this.#chat;
    $('chat-send').textContent = busy ? 'Stop' : 'Send';
    $('chat-send').classList.toggle('stop', busy);
    $('chat-new').disabled = isEmpty || busy;
    $('chat-log').hidden = isEmpty && !$('chat-log').childElementCount;
  }

  /** @param {string[]} models The default first. */
  #showModels(models) {
    const chosen = $('chat-model').value;
    $('chat-model').replaceChildren(
      ...models.map((name) => make('option', { value: name }, describeModel(name))),
    );
    $('chat-model').value = models.includes(chosen) ? chosen : (models[0] ?? '');
  }
}
