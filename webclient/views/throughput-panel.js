/**
 * The throughput test of the Ping view.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { drawCharts } from '../ping/chart.js';
import { PERIOD, ThroughputTest, averageOf } from '../ping/throughput.js';

/** @typedef {import('../link/link.js').Link} Link */

/** Milliseconds of each direction. */
const DURATION = 6000;

/** @param {number} rate bit/s @returns {string} */
export function formatRate(rate) {
  const [value, unit] = rate >= 1e6 ? [rate / 1e6, 'Mb/s'] : [rate / 1e3, 'kb/s'];
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

/**
 * @param {Record<'down'|'up', number[]>} readings
 * @param {'done'|'stopped'|'silent'|'closed'} how How the test has ended.
 * @returns {string} The result, and what can be done where there is none.
 */
export function describeResult(readings, how) {
  const words = { down: 'From the server', up: 'To the server' };
  const parts = ['down', 'up'].flatMap((direction) => {
    const average = averageOf(readings[direction]);
    return average ? `${words[direction]}: ${formatRate(average)}.` : [];
  });
  const reasons = {
    done: 'On average, each direction alone, over one data channel, without its first second.',
    stopped: 'Stopped early.',
    silent:
      'The server does not answer to the test any more. If it never did, an application uses its data channels; else try again.',
    closed: 'The connection ended meanwhile. Start again when it is back.',
  };
  return [...parts, reasons[how]].join(' ');
}

export class ThroughputPanel {
  /** @type {Link} */ #link;
  /** @type {ThroughputTest|null} */ #test = null;
  #canvas = make('canvas', { className: 'chart', role: 'img' });
  #button = make('button', { type: 'button', className: 'quiet' });
  #result = make('p', { className: 'note', id: 'throughput-result' });

  /** @param {Link} link The one of the Ping view. */
  constructor(link) {
    this.#link = link;
    this.#result.setAttribute('role', 'status');
    const explanation =
      'Sends as much as the path takes, first from the server to this browser, then the ' +
      'other way, six seconds each. Pings meanwhile show how long the queues get.';
    $('throughput-body').replaceChildren(
      make('p', { className: 'note' }, explanation),
      this.#button,
      this.#canvas,
      this.#result,
    );
    this.#button.addEventListener('click', () => this.#toggle());
    link.addEventListener('change', () => this.#show());
    $('throughput').addEventListener('toggle', () => this.#show());
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    this.#show();
  }

  #toggle() {
    if (this.#test?.running) this.#test.stop();
    else this.#start();
  }

  #start() {
    const { client } = this.#link;
    if (!this.#link.established || !client) {
      this.#result.textContent = 'There is no connection to measure. Connect first.';
      return;
    }
    const test = new ThroughputTest();
    this.#test = test;
    test.addEventListener('change', () => this.#show());
    test.addEventListener('end', ({ detail }) => {
      this.#result.textContent = describeResult(test.readings, detail);
      this.#showBrief();
      this.#show();
    });
    this.#result.textContent = '';
    announce('The throughput test runs.');
    test.start(client.pc, DURATION);
  }

  #showBrief() {
    const rates = ['down', 'up'].map((direction) => averageOf(this.#test.readings[direction]));
    const [down, up] = rates.map((rate) => (rate === null ? '–' : formatRate(rate)));
    write('throughput-brief', `${down} down, ${up} up`);
  }

  #show() {
    const running = this.#test?.running;
    this.#button.textContent = running ? 'Stop' : 'Start';
    this.#button.disabled = !running && !this.#link.established;
    if (running) {
      const latest = this.#test.readings[running].at(-1);
      const way = running === 'down' ? 'From the server' : 'To the server';
      write('throughput-brief', latest === undefined ? way : `${way}: ${formatRate(latest)}`);
    }
    this.#draw();
  }

  #draw() {
    const { down, up } = this.#test?.readings ?? { down: [], up: [] };
    const places = 2 * Math.round(DURATION / PERIOD);
    const before = Array(down.length).fill(null);
    const inMegabits = (rates) => rates.map((rate) => rate / 1e6);
    drawCharts(this.#canvas, [
      {
        title: 'Mb/s',
        lines: [
          { name: 'from the server', values: inMegabits(down) },
          { name: 'to it', values: [...before, ...inMegabits(up)] },
        ],
        labels: ['0 s', `${DURATION / 1000} s`, `${(2 * DURATION) / 1000} s`],
        places: Math.max(places, down.length + up.length),
      },
    ]);
    const latest = (rates) => (rates.length ? formatRate(rates.at(-1)) : 'nothing yet');
    this.#canvas.setAttribute(
      'aria-label',
      `Graph of the throughput. From the server: ${latest(down)}; to it: ${latest(up)}.`,
    );
  }
}
