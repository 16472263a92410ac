/**
 * What a broadcaster changes while on air: the sound, the picture, the devices.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { Poll } from '../ui/poll.js';
import { LevelMeter } from '../media/level-meter.js';
import { listDevices } from '../media/capture.js';

/** @typedef {import('../media/publisher.js').Publisher} Publisher */

/** Milliseconds between looks at the level. */
const METER_PERIOD = 100;

/**
 * @param {HTMLSelectElement} select
 * @param {{id: string, label: string}[]} devices
 * @param {string} usual The words for the device that the browser chooses.
 */
function offer(select, devices, usual) {
  const chosen = select.value;
  // They have no names before they are permitted. What was chosen before stays.
  if (chosen && !devices.length) return;
  const options = devices.map(({ id, label }) => make('option', { value: id }, label));
  select.replaceChildren(make('option', { value: '' }, usual), ...options);
  select.value = devices.some(({ id }) => id === chosen) ? chosen : '';
}

export class OnAirControls {
  /** @type {Publisher} */ #publisher;
  /** @type {() => void} */ #switched;
  #meter = new LevelMeter();
  #poll = new Poll(() => this.#showLevel(), METER_PERIOD);

  /**
   * @param {Publisher} publisher
   * @param {() => void} switched Called when another source or device was chosen.
   */
  constructor(publisher, switched) {
    this.#publisher = publisher;
    this.#switched = switched;
    $('mute').addEventListener('click', () => this.#turn('audio', 'sound'));
    $('blind').addEventListener('click', () => this.#turn('video', 'picture'));
    for (const id of ['source', 'camera', 'microphone']) {
      $(id).addEventListener('change', () => {
        this.#showChoices();
        this.#switched();
      });
    }
    navigator.mediaDevices?.addEventListener('devicechange', () => {
      this.#offerDevices();
      publisher.regain();
    });
    /** Settles when the devices are known. @type {Promise<void>} */
    this.ready = this.#offerDevices();
    this.#showChoices();
  }

  /** The view is in front, or not. @param {boolean} inFront */
  enter(inFront) {
    if (inFront) this.#poll.start();
    else this.#poll.stop();
  }

  /** Shows the publisher's state. */
  show() {
    const { source } = this.#publisher;
    const tracks = source?.media.getTracks() ?? [];
    const has = (kind) => tracks.some((track) => track.kind === kind);
    $('on-air-controls').hidden = !source;
    $('mute').hidden = !has('audio');
    $('blind').hidden = !has('video');
    $('mute').setAttribute('aria-pressed', String(!this.#publisher.isOn('audio')));
    $('blind').setAttribute('aria-pressed', String(!this.#publisher.isOn('video')));
    this.#meter.listen(tracks.find(({ kind }) => kind === 'audio') ?? null);
    $('level-line').hidden = !has('audio');
    // The names of devices are known once they are permitted.
    if (source) this.#offerDevices();
  }

  #turn(kind, word) {
    const on = !this.#publisher.isOn(kind);
    this.#publisher.turn(kind, on);
    announce(`The ${word} is ${on ? 'on' : 'off'}.`);
  }

  #showLevel() {
    const { level } = this.#meter;
    if (level === null || document.hidden) return;
    $('level').value = level;
    write('level-note', this.#publisher.isOn('audio') ? '' : 'muted');
  }

  #showChoices() {
    const camera = $('source').value === 'camera';
    $('camera-line').hidden = !camera || $('camera').length < 3;
    $('microphone-line').hidden = !camera || $('microphone').length < 3;
  }

  async #offerDevices() {
    const { cameras, microphones } = await listDevices();
    offer($('camera'), cameras, 'The usual one');
    offer($('microphone'), microphones, 'The usual one');
    this.#showChoices();
  }
}
