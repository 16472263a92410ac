/**
 * The recording controls of a stream: a button and a state.
 *
 * @module
 */

import { announce, make } from '../ui/dom.js';
import { describeEnd, describeRecording, describeRefusal, isGoingOn } from './recording-words.js';
import { startRecording, stopRecording } from '../resources/recordings-api.js';

/** @typedef {import('../resources/streams-api.js').Recording} Recording */

/** @param {any} element @param {string} text Written only if it differs. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class RecordingControl {
  /** @type {HTMLElement} */ element;
  /** @type {string} */ #name;
  /** @type {() => string} */ #token;
  /** @type {() => void} */ #changed;
  #button = make('button', { type: 'button', className: 'quiet small' });
  #state = make('span', { className: 'recording-state' });
  #problem = make('p', { className: 'field-problem' });
  /** @type {Recording|null|undefined} */ #recording;
  /** The server's reason for a refusal. */
  #refusal = '';
  #asking = false;

  /**
   * @param {string} name The name of the stream.
   * @param {() => string} token
   * @param {() => void} changed Called when a recording was started or stopped here.
   */
  constructor(name, token, changed) {
    this.#name = name;
    this.#token = token;
    this.#changed = changed;
    this.#problem.setAttribute('role', 'alert');
    this.#button.addEventListener('click', () => this.#press());
    const line = make('p', { className: 'recording' }, this.#button, this.#state);
    this.element = make('div', {}, line, this.#problem);
  }

  /**
   * @param {Recording|null|undefined} recording
   * @param {boolean} possible Whether the server can record.
   */
  show(recording, possible) {
    this.#recording = recording;
    this.element.hidden = !possible && !recording;
    const action = isGoingOn(recording) ? 'Stop recording' : 'Record';
    say(this.#button, action);
    this.#button.setAttribute('aria-label', `${action} ${this.#name}`);
    say(this.#state, describeRecording(recording));
    this.#state.dataset.state = recording?.state ?? '';
    say(this.#problem, this.#refusal || describeEnd(recording));
  }

  async #press() {
    // The button is not disabled meanwhile: it would lose the focus.
    if (this.#asking) return;
    this.#asking = true;
    this.#refusal = '';
    const [change, word] = isGoingOn(this.#recording)
      ? [stopRecording, 'ended']
      : [startRecording, 'begun'];
    try {
      await change(this.#name, this.#token());
      announce(`The recording of ${this.#name} has ${word}.`);
    } catch (error) {
      this.#refusal = describeRefusal(error);
      say(this.#problem, this.#refusal);
    } finally {
      this.#asking = false;
    }
    this.#changed();
  }
}
