/**
 * The Ping view: connects its controls, link, pinger and figures.
 *
 * @module
 */

import { $, announce } from '../ui/dom.js';
import { Link } from '../link/link.js';
import { DEFAULT_MAX_PAYLOAD, Pinger, parsePayloadSize } from '../ping/ping.js';
import * as reading from './reading.js';
import { RttGraph } from '../ping/rtt-graph.js';
import { RttStatistics, formatMs } from '../ping/rtt-statistics.js';
import { endpointOf } from '../ui/settings.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/navigation.js').View} View */
/** @typedef {import('../ui/settings.js').Settings} Settings */

export class PingView {
  title = 'Whipbird ping';
  /** @type {Link} */ link;
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #statistics = new RttStatistics();
  #graph = new RttGraph($('graph'));
  #pinger = new Pinger();
  /** Whether to connect when the view comes to the front. */
  #resume = true;
  /** Whether Ping was pressed before the channel was open. */
  #pingWhenOpen = false;
  /** The payload size in bytes: the field's value when confirmed, not while typing. */
  #size = 64;
  /** Whether to announce the next result, because the user pressed Ping. */
  #announceNext = false;
  /** The sequence number of the ping in the large reading. */
  #shown = 0;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    const target = () => ({ endpoint: this.#endpoint, token: settings.token });
    this.link = new Link(target, { channel: 'ping' });
    this.#listenToControls();
    this.#listenToPings();
    this.#listenToLink();
    this.#showStatistics();
  }

  enter() {
    $('connect').hidden = false;
    showEndpoint('WHIP', this.#endpoint);
    this.#linkView.show(this.link, CONNECTION_WORDS);
    if (this.#resume) this.link.connect();
  }

  /** Ends the session; it is opened again when the view is entered. */
  leave() {
    this.#resume = this.link.active || this.link.phase === 'waiting';
    this.link.leave();
  }

  /** Reconnects with changed settings. */
  async reconnect() {
    showEndpoint('WHIP', this.#endpoint);
    await this.link.disconnect();
    this.link.connect();
  }

  tryNow() {
    // The button disappears during the retry; keep the focus in the view.
    $('ping-now').focus();
    this.link.tryNow();
  }

  get #endpoint() {
    return endpointOf(this.#settings.stream);
  }

  get #maxPayload() {
    return this.link.client?.pc.sctp?.maxMessageSize ?? DEFAULT_MAX_PAYLOAD;
  }

  /** @returns {number|null} The payload size; null, with a message, if it is invalid. */
  #payloadSize() {
    const result = parsePayloadSize($('size').value, this.#maxPayload);
    let problem = result.problem ?? '';
    if (problem && $('auto').checked) {
      this.#setAuto(false);
      problem += ' Auto-ping is off.';
    }
    $('size').setAttribute('aria-invalid', String(Boolean(problem)));
    // Do not announce the same problem again, without the note on auto-ping.
    if (!problem || !$('size-problem').textContent.startsWith(problem)) {
      $('size-problem').textContent = problem;
    }
    this.#size = result.size ?? this.#size;
    return result.size ?? null;
  }

  #sendPing() {
    try {
      this.#pinger.ping(this.#size);
    } catch (error) {
      $('size-problem').textContent = `The browser could not send it: ${error.message}`;
    }
  }

  #showStatistics() {
    const summary = this.#statistics.summary();
    const { average, answered, lost } = summary;
    reading.showFigures(summary);
    const recent = this.#statistics.recent(this.#graph.capacity);
    this.#graph.show(recent, { average, count: answered + lost });
  }

  /** Shows the reading of the latest ping; an earlier one may be found lost later. */
  #showReading(sequence, rtt, note) {
    if (sequence < this.#shown) return;
    this.#shown = sequence;
    reading.showReading(rtt, note);
  }

  #setAuto(on) {
    $('auto').checked = on;
    if (!on) {
      this.#pinger.stopAuto();
      return;
    }
    const tick = () => whenPainted(() => $('auto').checked && this.#sendPing());
    this.#pinger.startAuto(Number($('interval').value), tick);
    if (!this.link.active) this.link.tryNow();
  }

  #listenToControls() {
    $('ping-now').addEventListener('click', () => {
      this.#announceNext = true;
      if (this.#payloadSize() === null) {
        $('size').focus();
        return;
      }
      if (this.#pinger.ready) {
        whenPainted(() => this.#sendPing());
      } else {
        this.#pingWhenOpen = true;
        reading.showNote('The ping goes out as soon as the connection is open.');
        if (!this.link.active) this.link.tryNow();
      }
    });
    $('auto').addEventListener('change', () => {
      this.#payloadSize();
      this.#setAuto($('auto').checked);
    });
    $('interval').addEventListener('change', () => this.#setAuto($('auto').checked));
    $('size').addEventListener('change', () => this.#payloadSize());
    $('reset').addEventListener('click', () => {
      this.#statistics.reset();
      this.#showStatistics();
      reading.showNoReading();
      announce('Figures cleared.');
    });
    $('connect').addEventListener('click', () => {
      this.#pingWhenOpen = false;
      if (this.link.phase === 'idle' || this.link.phase === 'stopped') {
        this.link.connect();
      } else {
        this.#setAuto(false);
        this.link.disconnect();
      }
    });
  }

  #listenToPings() {
    const add = (sequence, rtt, note, words) => {
      this.#statistics.add(sequence, rtt);
      this.#showReading(sequence, rtt, note);
      this.#showStatistics();
      if (this.#announceNext) announce(words);
      this.#announceNext = false;
    };
    this.#pinger.addEventListener('echo', ({ detail: { sequence, rtt, size } }) => {
      const note = `Ping ${sequence}, ${size.toLocaleString('en')} bytes there and back.`;
      add(sequence, rtt, note, `Round-trip time ${formatMs(rtt)}`);
    });
    this.#pinger.addEventListener('lost', ({ detail: { sequence } }) => {
      const limit = `${this.#pinger.timeout / 1000} seconds`;
      const note = `No echo of ping ${sequence} within ${limit}.`;
      add(sequence, null, note, `Ping ${sequence} was lost.`);
      this.link.check();
    });
  }

  #listenToLink() {
    this.link.addEventListener('change', () => {
      for (const id of ['ping-now', 'auto', 'interval', 'size']) {
        $(id).disabled = isHopeless(this.link);
      }
      if (this.link.phase === 'stopped' && this.#pingWhenOpen) {
        this.#pingWhenOpen = false;
        reading.showNote('There was no connection to ping over.');
      }
    });
    this.link.addEventListener('open', () => {
      this.#pinger.attach(this.link.channel);
      const most = this.#maxPayload.toLocaleString('en');
      $('size-hint').textContent = `at most ${most}`;
      // Another server may have a smaller limit.
      const valid = this.#payloadSize() !== null;
      if (valid && this.#pingWhenOpen) whenPainted(() => this.#sendPing());
      this.#pingWhenOpen = false;
    });
    this.link.addEventListener('close', ({ detail: { lost } }) => {
      this.#pinger.detach({ lost });
      reading.showReadingIsOld();
    });
  }
}

/**
 * Calls a function when the page has been painted. After the press of a button the page
 * paints for several milliseconds; an echo that arrives meanwhile would have to wait, and
 * the measured time would include the painting.
 *
 * @param {() => void} callback
 */
function whenPainted(callback) {
  // A hidden page is not painted and gets no animation frames.
  if (document.hidden) callback();
  else requestAnimationFrame(() => setTimeout(callback));
}
