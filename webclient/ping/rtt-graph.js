/**
 * A live graph of round-trip times. It is SVG, so that it is sharp on every display and
 * styled by the style sheet.
 *
 * @module
 */

import { grouped } from '../ui/dom.js';
import { formatMs } from './rtt-statistics.js';

/** @typedef {import('./rtt-statistics.js').Sample} Sample */

const MARGIN = { top: 14, right: 14, bottom: 42, left: 56 };
const MIN_SLOTS = 20;
/** Milliseconds from one drawing to the next, at least: it is most of the page's work. */
const LEAST_PAUSE = 250;
/** Pings that any graph shows at most. */
export const MOST_SLOTS = 120;

/**
 * Round steps for an axis from zero.
 *
 * @param {number} max The largest value to show, above 0.
 * @param {number} [count] About how many steps.
 * @returns {number[]} 0, step, 2 step, … up to the first at or above `max`.
 */
export function ticks(max, count = 4) {
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const steps = Math.ceil(max / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/**
 * @param {string} name
 * @param {Record<string, string|number>} attributes
 * @param {string} [text]
 */
function svg(name, attributes, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

export class RttGraph {
  /** @type {Sample[]} */ #samples = [];
  /** @type {number|null} */ #average = null;
  #count = 0;
  /** Whether it is about to be drawn. */ #awaited = false;
  /** When it was drawn last. */ #drawn = -Infinity;
  /** In CSS pixels: to ask the element would make the browser lay out the page at once. */
  #size = { width: 0, height: 0 };

  /** @param {SVGSVGElement} root Sized by the style sheet. */
  constructor(root) {
    this.root = root;
    new ResizeObserver(([{ contentRect }]) => {
      this.#size = contentRect;
      this.#redraw();
    }).observe(root);
  }

  /** The number of pings that fit into the graph. */
  get capacity() {
    return Math.max(MIN_SLOTS, Math.min(MOST_SLOTS, Math.floor(this.#size.width / 8)));
  }

  /**
   * @param {Sample[]} samples Oldest first.
   * @param {object} [overall] Figures of all pings, of which these are the latest.
   * @param {number|null} [overall.average] The average RTT, drawn as a line.
   * @param {number} [overall.count] The number of pings.
   */
  show(samples, { average = null, count = samples.length } = {}) {
    this.#samples = samples;
    this.#average = average;
    this.#count = count;
    this.#redraw();
  }

  /** Draws soon, but not more often than anybody follows; a hidden tab draws nothing. */
  #redraw() {
    if (this.#awaited) return;
    this.#awaited = true;
    const pause = this.#drawn + LEAST_PAUSE - performance.now();
    const draw = () =>
      requestAnimationFrame(() => {
        this.#awaited = false;
        this.#draw();
      });
    if (pause > 0) setTimeout(draw, pause);
    else draw();
  }

  #draw() {
    const { root } = this;
    const { width, height } = this.#size;
    if (!width || !height) return;
    this.#drawn = performance.now();
    root.setAttribute('viewBox', `0 0 ${width} ${height}`);

    const samples = this.#samples.slice(-this.capacity);
    const rtts = samples.flatMap(({ rtt }) => (rtt === null ? [] : [rtt]));
    const yTicks = ticks(Math.max(0.2, this.#average ?? 0, ...rtts) * 1.05);
    const top = yTicks.at(-1);
    const plot = {
      width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom,
    };
    // A few pings start at the left; many push the oldest ones out. The number of slots
    // grows in steps, not with every ping.
    const step = [MIN_SLOTS, 40, 80].find((count) => count >= samples.length) ?? Infinity;
    const slots = Math.max(samples.length, Math.min(step, this.capacity));
    const x = (index) => MARGIN.left + (plot.width * (index + 0.5)) / slots;
    const y = (rtt) => MARGIN.top + plot.height * (1 - rtt / top);

    const across = (value) => ({
      x1: MARGIN.left,
      x2: width - MARGIN.right,
      y1: y(value),
      y2: y(value),
    });

    const part = samples.length < this.#count && samples.length;
    const title = part
      ? `ping number (latest ${part} of ${grouped(this.#count)})`
      : 'ping number';
    const nodes = [...axes(width, height, yTicks, y, across, title, samples.length > 0)];
    for (const { index, label } of xLabels(samples)) {
      nodes.push(svg('text', { class: 'x', x: x(index), y: height - MARGIN.bottom + 17 }, label));
    }
    if (this.#average !== null) {
      nodes.push(svg('line', { class: 'average', ...across(this.#average) }));
    }
    if (rtts.length) nodes.push(svg('path', { class: 'curve', d: curve(samples, x, y) }));
    samples.forEach(({ rtt, late }, index) => {
      if (rtt === null) {
        nodes.push(missingMark(x(index), MARGIN.top + 6, height - MARGIN.bottom, late));
      } else nodes.push(svg('circle', { class: 'point', cx: x(index), cy: y(rtt), r: 2.5 }));
    });
    if (!samples.length) {
      const middle = MARGIN.left + plot.width / 2;
      nodes.push(svg('text', { class: 'empty', x: middle, y: height / 2 }, 'No pings yet'));
    }
    root.replaceChildren(...nodes);
    root.setAttribute('aria-label', describe(samples, rtts));
  }
}

/** Grid lines, their values unless there are no samples, and the titles of the axes. */
function* axes(width, height, yTicks, y, across, title, withValues) {
  const digits = Math.max(0, -Math.floor(Math.log10(yTicks[1]) + 1e-9));
  // 0.25 and 2.5 need a digit more than their power of ten.
  const exact = yTicks.every((tick) => Number(tick.toFixed(digits)) === tick);
  for (const tick of yTicks) {
    yield svg('line', { class: 'grid', ...across(tick) });
    if (!withValues) continue;
    const label = tick.toFixed(exact ? digits : digits + 1);
    yield svg('text', { class: 'y', x: MARGIN.left - 8, y: y(tick) + 4 }, label);
  }
  const middle = (MARGIN.top + height - MARGIN.bottom) / 2;
  const rotated = { class: 'title', x: 11, y: middle, transform: `rotate(-90 11 ${middle})` };
  yield svg('text', rotated, 'RTT in ms');
  yield svg('text', { class: 'title', x: width / 2, y: height - 5 }, title);
}

/** Labels with round ping numbers, as many as fit. */
function xLabels(samples) {
  if (!samples.length) return [];
  const step = samples.length > 60 ? 20 : samples.length > 12 ? 5 : 1;
  return samples.flatMap(({ sequence }, index) =>
    sequence % step === 0 ? [{ index, label: String(sequence) }] : [],
  );
}

/** The curve breaks at lost pings. */
function curve(samples, x, y) {
  let pen = 'M';
  let path = '';
  samples.forEach(({ rtt }, index) => {
    if (rtt === null) {
      pen = 'M';
      return;
    }
    path += `${pen}${x(index).toFixed(1)} ${y(rtt).toFixed(1)}`;
    pen = 'L';
  });
  return path;
}

/**
 * A cross for a lost ping, a triangle for a late one, and a dashed line: they must not be
 * marked by colour alone.
 */
function missingMark(x, y, bottom, late) {
  const isLate = late !== undefined;
  const cross = `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x + 4} ${y - 4}L${x - 4} ${y + 4}`;
  const triangle = `M${x - 4} ${y - 4}L${x + 4} ${y - 4}L${x} ${y + 4}Z`;
  const mark = svg('g', { class: isLate ? 'late' : 'lost' });
  mark.append(
    svg('path', { d: isLate ? triangle : cross }),
    svg('line', { x1: x, x2: x, y1: y + 8, y2: bottom }),
  );
  return mark;
}

function describe(samples, rtts) {
  if (!samples.length) return 'Graph of round-trip times. No pings yet.';
  const late = samples.filter((sample) => sample.late !== undefined).length;
  const lost = samples.length - rtts.length - late;
  const range = rtts.length
    ? `from ${formatMs(Math.min(...rtts))} to ${formatMs(Math.max(...rtts))}`
    : 'none answered';
  return `Graph of the latest ${samples.length} round-trip times: ${range}, ${lost} lost${late ? `, ${late} late` : ''}.`;
}
