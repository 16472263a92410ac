/**
 * The last minutes of a stream: its bitrate, its loss and its viewers as small graphs.
 *
 * @module
 */

import { grouped, make } from '../ui/dom.js';
import { formatBitrate, formatShare } from '../media/media-words.js';

/** @typedef {import('../resources/streams-api.js').LiveStream} LiveStream */

/** Samples that are kept: one every two seconds. */
const KEPT = 90;
const WIDTH = 120;
const HEIGHT = 28;

const SVG = 'http://www.w3.org/2000/svg';

/** The largest loss that a graph without loss would show. */
const LEAST_LOSS = 0.02;

/** @param {LiveStream} stream */
function totals({ tracks }) {
  const all = tracks.flatMap(({ layers }) => layers);
  const sum = (read) => all.reduce((total, layer) => total + read(layer), 0);
  return {
    bitrate: sum(({ bitrate }) => bitrate),
    packets: sum(({ packets }) => packets),
    lost: sum(({ lost, recovered }) => Math.max(0, lost - recovered)),
  };
}

class Trend {
  /** @type {number[]} */ values = [];
  #line = document.createElementNS(SVG, 'polyline');
  #value = make('dd');
  /** @type {HTMLElement} */ element;
  /** @type {number} */ #least;

  /** @param {string} name @param {number} least The least value at the top of the graph. */
  constructor(name, least) {
    this.#least = least;
    const graph = document.createElementNS(SVG, 'svg');
    graph.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    graph.setAttribute('preserveAspectRatio', 'none');
    graph.setAttribute('aria-hidden', 'true');
    graph.append(this.#line);
    this.element = make('div', {}, make('dt', {}, name), this.#value, graph);
  }

  /** @param {number} value @param {string} text */
  add(value, text) {
    this.values = [...this.values, value].slice(-KEPT);
    const top = Math.max(this.#least, ...this.values);
    const step = WIDTH / (KEPT - 1);
    const first = KEPT - this.values.length;
    const points = this.values.map((each, i) => {
      const y = HEIGHT - 2 - ((HEIGHT - 4) * each) / top;
      return `${((first + i) * step).toFixed(1)},${y.toFixed(1)}`;
    });
    this.#line.setAttribute('points', points.join(' '));
    if (this.#value.textContent !== text) this.#value.textContent = text;
  }
}

export class StreamTrends {
  #bitrate = new Trend('Bitrate', 1);
  #loss = new Trend('Loss', LEAST_LOSS);
  #viewers = new Trend('Viewers', 1);
  /** @type {HTMLElement} */ element = make(
    'dl',
    { className: 'trends', title: 'The last three minutes' },
    this.#bitrate.element,
    this.#loss.element,
    this.#viewers.element,
  );
  /** @type {{packets: number, lost: number}|null} */ #before = null;

  /** @param {LiveStream} stream */
  show(stream) {
    const { bitrate, packets, lost } = totals(stream);
    this.#bitrate.add(bitrate, formatBitrate(bitrate));
    const before = this.#before ?? { packets: 0, lost: 0 };
    const expected = packets + lost - before.packets - before.lost;
    const share = expected > 0 ? Math.max(0, lost - before.lost) / expected : 0;
    this.#loss.add(share, formatShare(share));
    this.#before = { packets, lost };
    const { viewers } = stream;
    this.#viewers.element.hidden = viewers === undefined;
    if (viewers !== undefined) this.#viewers.add(viewers, grouped(viewers));
  }
}
