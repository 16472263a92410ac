/**
 * The viewer's choice of the delay, and what it does to the receivers.
 *
 * @module
 */

import { AUTOMATIC, AutomaticDelay } from '../media/delay.js';
import { describeChoice, describeDelays } from '../media/delay-words.js';
import { $, write } from '../ui/dom.js';
import { rememberDelay } from '../ui/settings.js';

/** @typedef {import('../media/incoming-statistics.js').Incoming} Incoming */
/** @typedef {import('../ui/settings.js').Settings} Settings */

/** Whether this browser lets pages set the delay. */
const isPossible = () =>
  'jitterBufferTarget' in (globalThis.RTCRtpReceiver?.prototype ?? {});

export class DelayControl {
  /** @type {Settings} */ #settings;
  /** @type {RTCPeerConnection|null} */ #pc = null;
  #automatic = new AutomaticDelay();

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    const select = $('watch-delay');
    select.value = settings.delay;
    // What was remembered may be no choice any more.
    if (select.selectedIndex < 0) select.value = AUTOMATIC;
    settings.delay = select.value;
    select.addEventListener('change', () => {
      settings.delay = select.value;
      rememberDelay(select.value);
      this.#apply();
    });
    $('delay-choice').hidden = !isPossible();
    this.show(null);
  }

  /** @param {RTCPeerConnection} pc The connection from now on. */
  follow(pc) {
    this.#pc = pc;
    this.#automatic = new AutomaticDelay();
    this.#apply();
  }

  /** @param {Incoming} incoming @param {number} now Milliseconds of any clock. */
  adapt(incoming, now) {
    this.#automatic.update(incoming, now);
    this.#apply();
  }

  /** @param {Incoming|null} incoming Null if there is no connection. */
  show(incoming) {
    write('watch-delays', describeDelays(incoming));
    const received = Boolean(incoming?.video?.packets || incoming?.audio?.packets);
    const choice = received ? describeChoice(this.#settings.delay, this.#automatic) : '';
    const words = isPossible() ? choice : 'This browser chooses the delay by itself.';
    write('watch-delay-note', words);
  }

  /** Sets the target of all receivers. */
  #apply() {
    if (!isPossible() || !this.#pc) return;
    const { delay } = this.#settings;
    const target = delay === AUTOMATIC ? this.#automatic.target : Number(delay);
    for (const receiver of this.#pc.getReceivers()) receiver.jitterBufferTarget = target;
  }
}
