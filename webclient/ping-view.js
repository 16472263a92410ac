/**
 * The Ping view: wires its controls, its link, pinger and figures together.
 *
 * @module
 */

import { $, announce } from './dom.js';
import { Link } from './link.js';
import { DEFAULT_MAX_PAYLOAD, Pinger, parsePayloadSize } from './ping.js';
import * as reading from './reading.js';
import { RttGraph } from './rtt-graph.js';
import { RttStatistics, formatMs } from './rtt-statistics.js';
import { endpointOf } from './settings.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('./navigation.js').View} View */
/** @typedef {import('./settings.js').Settings} Settings */

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
  /** Ping was pressed before there was a channel. */
  #pingWhenOpen = false;
  /** Bytes; what stands in the field once it is confirmed, not while somebody types. */
  #size = 64;
  /** The next result was asked for by hand, so screen readers hear it. */
  #announceNext = false;
  /** The number of the ping that the big reading is about. */
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

  /** Nobody looks at it: ends the session, until somebody does. */
  leave() {
    this.#resume = this.link.active || this.link.phase === 'waiting';
    this.link.leave();
  }

  /** The settings have changed. */
  async reconnect() {
    showEndpoint('WHIP', this.#endpoint);
    await this.link.disconnect();
    this.link.connect();
  }

  tryNow() {
    // The button disappears while it tries; its focus must not.
    $('ping-now').focus();
    this.link.tryNow();
  }

  get #endpoint() {
    return endpointOf(this.#settings.stream);
  }

  get #maxPayload() {
    return this.link.client?.pc.sctp?.maxMessageSize ?? DEFAULT_MAX_PAYLOAD;
  }

  /** @returns {number|null} The chosen payload size; null, and said so, when invalid. */
  #payloadSize() {
    const result = parsePayloadSize($('size').value, this.#maxPayload);
    let problem = result.problem ?? '';
    if (problem && $('auto').checked) {
      this.#setAuto(false);
      problem += ' Auto-ping is off.';
    }
    $('size').setAttribute('aria-invalid', String(Boolean(problem)));
    // What was just switched off is no reason to say it all again, without that.
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

  /** It is about the latest ping: that an earlier one is lost may turn out later. */
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
      // Another server may take less.
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
 * Calls back when the page has painted what it has to paint. A press of a button makes
 * it paint for several milliseconds; an echo that comes meanwhile has to wait, and the
 * page would measure itself.
 *
 * @param {() => void} callback
 */
function whenPainted(callback) {
  // A hidden page paints nothing and gets no frames.
  if (document.hidden) callback();
  else requestAnimationFrame(() => setTimeout(callback));
}
