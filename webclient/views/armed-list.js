/**
 * Streams that nobody publishes now, and that are recorded as soon as somebody does.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { KeyedList } from '../ui/keyed-list.js';
import { describeRefusal } from './recording-words.js';
import { stopRecording } from '../resources/recordings-api.js';

export class ArmedList {
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;
  #list = new KeyedList($('armed-list'), (name) => this.#makeItem(name));

  /** @param {() => string} token @param {() => void} changed Called when one was disarmed. */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
  }

  /** @param {string[]} names */
  show(names) {
    $('armed').hidden = !names.length;
    this.#list.show(names);
  }

  #makeItem(name) {
    const disarm = make('button', { type: 'button', className: 'quiet small' }, 'Disarm');
    disarm.setAttribute('aria-label', `Do not record ${name}`);
    disarm.addEventListener('click', () => this.#disarm(name));
    const words = make('span', {}, make('strong', {}, name), ' will be recorded');
    return { element: make('li', {}, words, disarm) };
  }

  /** @param {string} name */
  async #disarm(name) {
    try {
      await stopRecording(name, this.#token());
      write('armed-problem', '');
      announce(`${name} will not be recorded.`);
      // The button that had the focus goes.
      $('recordings-heading').focus();
    } catch (error) {
      write('armed-problem', describeRefusal(error));
    }
    this.#changed();
  }
}
