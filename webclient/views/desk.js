/**
 * The panels of the Ping view for those who look closer. What they show over time is
 * kept from now on; each of them is made when it is opened.
 *
 * @module
 */

import { SeriesRecorder } from '../ping/series-recorder.js';
import { $ } from '../ui/dom.js';
import { LogPanel } from './log-panel.js';
import { PairsPanel } from './pairs-panel.js';
import { SeriesPanel } from './series-panel.js';
import { ThroughputPanel } from './throughput-panel.js';

export class Desk {
  /** @type {LogPanel|null} */ #log = null;

  /**
   * @param {import('../link/link.js').Link} link
   * @param {import('../ping/ping.js').Pinger} pinger
   * @param {(count: number) => import('../ping/rtt-statistics.js').Sample[]} recent The
   *   latest pings, oldest first.
   */
  constructor(link, pinger, recent) {
    const recorder = new SeriesRecorder(link, pinger);
    whenOpened('throughput', () => new ThroughputPanel(link));
    whenOpened('series', () => new SeriesPanel(recorder));
    whenOpened('pairs', () => new PairsPanel(link));
    whenOpened('log', () => (this.#log = new LogPanel(recent)));
  }

  /** Shows the latest pings. */
  showPings() {
    this.#log?.show();
  }
}

/**
 * @param {string} id The id of a details element.
 * @param {() => unknown} fill Called once, when it is open.
 */
function whenOpened(id, fill) {
  const filled = new AbortController();
  const open = () => {
    if (!$(id).open) return;
    filled.abort();
    fill();
  };
  $(id).addEventListener('toggle', open, { signal: filled.signal });
  open();
}
