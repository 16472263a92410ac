/**
 * The Ping view: connects its controls, link, pinger and figures.
 *
 * @module
 */

import { $, announce, grouped } from '../ui/dom.js';
import { Link } from '../link/link.js';
import { DEFAULT_MAX_PAYLOAD, Pinger, parsePayloadSize } from '../ping/ping.js';
import * as reading from './reading.js';
import { MOST_SLOTS, RttGraph } from '../ping/rtt-graph.js';
import { RttStatistics, formatMs } from '../ping/rtt-statistics.js';
import { PING_USE, takeBegun } from '../start.js';
import { endpointOf, rememberLossy, rememberedLossy } from '../ui/settings.js';
import { CONNECTION_WORDS, isHopeless, showEndpoint } from './view.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/navigation.js').View} View */
/** @typedef {import('../ui/settings.js').Settings} Settings */

/** A channel on which what is lost stays lost. */
const LOSSY = { ordered: false, maxRetransmits: 0 };
/** Pings lost one after another on such a channel until something else may be wrong. */
const MANY_LOST = 5;
/** The panels for those who look closer. */
const PANELS = ['throughput', 'series', 'pairs', 'log'];

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
  /** The channel without retransmissions. @type {RTCDataChannel|null} */ #lossyChannel = null;
  /** Pings lost since the last echo. */ #lostInARow = 0;
  /** @type {import('./desk.js').Desk|null} */ #desk = null;
  #loadsDesk = false;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
    const target = () => ({ endpoint: this.#endpoint, token: settings.token });
    this.link = new Link(target, PING_USE, takeBegun);
    $('lossy').checked = rememberedLossy();
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
      $('size-problem').textContent =
        `The browser could not send it (${error.message}). Try a smaller payload, or ping ` +
        'less often.';
    }
  }

  #showStatistics() {
    const summary = this.#statistics.summary();
    const { average, answered, lost, late } = summary;
    reading.showFigures(summary);
    const recent = this.#statistics.recent(MOST_SLOTS);
    this.#graph.show(recent, { average, count: answered + lost + late });
    this.#desk?.showPings();
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

  /** Pings over the link's channel, or over one of their own without retransmissions. */
  #chooseChannel() {
    this.#lossyChannel?.close();
    this.#lossyChannel = null;
    if (!$('lossy').checked) {
      this.#attach(this.link.channel);
      return;
    }
    const channel = this.link.client.pc.createDataChannel('ping', LOSSY);
    this.#lossyChannel = channel;
    const attach = () => channel === this.#lossyChannel && this.#attach(channel);
    channel.addEventListener('open', attach, { once: true });
  }

  /** @param {RTCDataChannel} channel An open one. */
  #attach(channel) {
    this.#pinger.attach(channel);
    this.#lostInARow = 0;
    const most = grouped(this.#maxPayload);
    $('size-hint').textContent = `at most ${most}`;
    // Another server may have a smaller limit.
    const valid = this.#payloadSize() !== null;
    if (valid && this.#pingWhenOpen) whenPainted(() => this.#sendPing());
    this.#pingWhenOpen = false;
  }

  /** Loads the panels, once. @param {boolean} asked Whether the user has opened one. */
  async #loadDesk(asked) {
    if (this.#loadsDesk) return;
    this.#loadsDesk = true;
    try {
      const { Desk } = await import('./desk.js');
      const recent = (count) => this.#statistics.recent(count);
      this.#desk = new Desk(this.link, this.#pinger, recent);
      $('desk-problem').textContent = '';
    } catch {
      // It is tried again with the next connection, or when another one is opened.
      this.#loadsDesk = false;
      if (!asked) return;
      $('desk-problem').textContent =
        'This part of the page did not load. Check the connection to the network, then open it again.';
    }
  }

  #listenToControls() {
    for (const id of PANELS) $(id).addEventListener('toggle', () => this.#loadDesk(true));
    $('lossy').addEventListener('change', () => {
      rememberLossy($('lossy').checked);
      if (this.link.established) this.#chooseChannel();
    });
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
      this.#lostInARow = 0;
      const note = `Ping ${sequence}, ${grouped(size)} bytes there and back.`;
      add(sequence, rtt, note, `Round-trip time ${formatMs(rtt)}`);
    });
    this.#pinger.addEventListener('lost', ({ detail: { sequence } }) => {
      const limit = `${this.#pinger.timeout / 1000} seconds`;
      const note = `No echo of ping ${sequence} within ${limit}.`;
      add(sequence, null, note, `Ping ${sequence} was lost.`);
      this.#lostInARow += 1;
      // Where loss is to be expected, a single one says nothing about the connection.
      if (!this.#lossyChannel || this.#lostInARow >= MANY_LOST) this.link.check();
    });
    this.#pinger.addEventListener('late', ({ detail: { sequence, rtt } }) => {
      this.#statistics.addLate(sequence, rtt);
      if (sequence === this.#shown) reading.showNote(`Ping ${sequence} came late, after ${formatMs(rtt)}.`);
      this.#showStatistics();
    });
  }

  #listenToLink() {
    this.link.addEventListener('change', () => {
      for (const id of ['ping-now', 'auto', 'interval', 'size', 'lossy']) {
        $(id).disabled = isHopeless(this.link);
      }
      if (this.link.phase === 'stopped' && this.#pingWhenOpen) {
        this.#pingWhenOpen = false;
        reading.showNote('There was no connection to ping over. Connect, and ping again.');
      }
    });
    this.link.addEventListener('open', () => {
      this.#chooseChannel();
      whenIdle(() => this.#loadDesk(false));
    });
    this.link.addEventListener('close', ({ detail: { lost } }) => {
      this.#pinger.detach({ lost });
      this.#lossyChannel = null;
      reading.showReadingIsOld();
    });
  }
}

/**
 * Calls a function when the page has nothing better to do, or after a second.
 *
 * @param {() => void} callback
 */
function whenIdle(callback) {
  // Safari has no such thing.
  if (globalThis.requestIdleCallback) requestIdleCallback(callback, { timeout: 1000 });
  else setTimeout(callback, 500);
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
