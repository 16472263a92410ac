/**
 * Figures of the connection over time, while the page is open.
 *
 * @module
 */

import { drawCharts } from '../ping/chart.js';
import { download } from '../ui/download.js';
import { $, make } from '../ui/dom.js';

/** @typedef {import('../ping/series.js').Row} Row */
/** @typedef {import('../ping/series.js').Series} Series */

/** Seconds that can be chosen. */
const SPANS = { 60: '1 minute', 300: '5 minutes', 900: '15 minutes', 3600: '1 hour' };
/** Seconds that a chart has room for at least. */
const LEAST_PLACES = 60;
/** A picture that is kept, in CSS pixels. */
const PICTURE = { width: 960, height: 720 };

/**
 * The charts of rows.
 *
 * @param {Row[]} rows
 * @param {import('../ping/series.js').Happening[]} happenings Marked in the charts.
 * @param {number} seconds The span.
 * @returns {import('../ping/chart.js').Chart[]}
 */
export function chartsOf(rows, happenings, seconds) {
  // The newest row is at the right end.
  const places = Math.min(seconds, Math.max(rows.length, LEAST_PLACES));
  const before = Array(Math.max(0, places - rows.length)).fill(null);
  const last = rows.at(-1)?.time ?? 0;
  const clock = (time) => new Date(time).toLocaleTimeString();
  const labels = rows.length ? [clock(last - 1000 * (places - 1)), clock(last)] : [];
  const marks = happenings
    .filter(({ time }) => time >= rows[0]?.time && time <= last)
    .map(({ time }) => before.length + rows.findIndex((row) => row.time >= time));
  const common = { labels, marks, places };
  const of = (name, key, unit = 1) => {
    const values = rows.map((row) => (row[key] === null ? null : row[key] / unit));
    return { name, values: [...before, ...values] };
  };
  return [
    {
      ...common,
      title: 'Round trip in ms',
      lines: [of('pings', 'rtt'), of('ICE', 'iceRtt'), of('jitter', 'jitter')],
    },
    {
      ...common,
      title: 'Pings lost a second',
      least: 1,
      lines: [of('lost', 'lost')],
    },
    {
      ...common,
      title: 'Bitrate in Mb/s',
      lines: [of('received', 'down', 1e6), of('sent', 'up', 1e6)],
    },
  ];
}

export class SeriesPanel {
  /** @type {Series} */ #series;
  #canvas = make('canvas', { className: 'chart charts', role: 'img' });
  #span = make('select', { id: 'series-span' });
  #list = make('ol', { className: 'happenings', id: 'happenings' });

  /** @param {import('../ping/series-recorder.js').SeriesRecorder} recorder */
  constructor(recorder) {
    this.#series = recorder.series;
    for (const [value, words] of Object.entries(SPANS)) {
      this.#span.append(make('option', { value }, words));
    }
    this.#span.addEventListener('change', () => this.#draw());
    const button = (words, act) => {
      const made = make('button', { type: 'button', className: 'quiet small' }, words);
      made.addEventListener('click', act);
      return made;
    };
    $('series-body').replaceChildren(
      make(
        'div',
        { className: 'chart-tools' },
        make('label', { htmlFor: 'series-span' }, 'Span'),
        this.#span,
        button('Save as JSON', () => this.#saveData()),
        button('Save as picture', () => this.#savePicture()),
      ),
      this.#canvas,
      make('h3', {}, 'What has happened'),
      this.#list,
      make('p', { className: 'note' }, 'Kept while the page is open, for an hour at most.'),
    );
    recorder.addEventListener('row', () => this.#draw());
    recorder.addEventListener('happening', () => this.#showHappenings());
    $('series').addEventListener('toggle', () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    this.#showHappenings();
  }

  #draw() {
    if (!$('series').open || document.hidden) return;
    const seconds = Number(this.#span.value);
    const rows = this.#series.recent(seconds);
    drawCharts(this.#canvas, chartsOf(rows, this.#series.happenings, seconds));
    this.#canvas.setAttribute('aria-label', describe(rows));
  }

  #showHappenings() {
    const items = this.#series.happenings.slice(-20).map(({ time, what }) =>
      make('li', {}, `${new Date(time).toLocaleTimeString()} ${what}`),
    );
    this.#list.replaceChildren(...items.reverse());
  }

  #saveData() {
    const data = { page: location.origin, ...this.#series.toJSON() };
    const text = JSON.stringify(data, null, 1);
    download(new Blob([text], { type: 'application/json' }), `${fileName()}.json`);
  }

  #savePicture() {
    const canvas = document.createElement('canvas');
    const seconds = Number(this.#span.value);
    const rows = this.#series.recent(seconds);
    drawCharts(canvas, chartsOf(rows, this.#series.happenings, seconds), PICTURE);
    canvas.toBlob((blob) => blob && download(blob, `${fileName()}.png`), 'image/png');
  }
}

/** A name that sorts by time and that every system takes. */
function fileName() {
  return `whipbird-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`;
}

/** @param {Row[]} rows */
function describe(rows) {
  if (!rows.length) return 'Graphs over time. Nothing yet.';
  const rtts = rows.flatMap(({ rtt }) => rtt ?? []);
  const lost = rows.reduce((sum, row) => sum + row.lost, 0);
  const range = rtts.length
    ? `round trips from ${Math.min(...rtts).toFixed(1)} to ${Math.max(...rtts).toFixed(1)} ms`
    : 'no pings';
  const received = rows.flatMap(({ down }) => down ?? []);
  const most = received.length
    ? ` Received up to ${(Math.max(...received) / 1e6).toFixed(2)} Mb/s.`
    : '';
  return `Graphs of the last ${rows.length} seconds: ${range}, ${lost} lost.${most}`;
}
