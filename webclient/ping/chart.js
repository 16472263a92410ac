/**
 * Line charts on a canvas, which can also be kept as a picture.
 *
 * @module
 */

import { ticks } from './rtt-graph.js';

const MARGIN = { top: 30, right: 12, bottom: 24, left: 52 };
const FONT = '12px system-ui, sans-serif';
/** Patterns of lines, as colours alone do not tell them apart. */
const DASHES = [[], [6, 4], [2, 3]];

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {(number|null)[]} values One for each place on the x axis; null is a gap.
 */

/**
 * @typedef {object} Chart
 * @property {string} title With the unit.
 * @property {Line[]} lines At most as many as there are colours: three.
 * @property {number[]} [marks] Places on the x axis that are marked by a vertical line.
 * @property {string[]} labels The labels of the x axis, evenly from its beginning to its
 *   end.
 * @property {number} places The number of places on the x axis.
 * @property {number} [least] What the y axis reaches at least.
 */

/** The colours of the page, light or dark. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of('--ink'),
    quiet: of('--ink-soft'),
    grid: of('--line'),
    ground: of('--surface'),
    lines: [of('--accent'), of('--busy'), of('--warn')],
    mark: of('--bad'),
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Chart} chart
 * @param {{x: number, y: number, width: number, height: number}} box In CSS pixels.
 */
function draw(context, chart, box) {
  const colour = colours();
  const plot = {
    left: box.x + MARGIN.left,
    top: box.y + MARGIN.top,
    width: box.width - MARGIN.left - MARGIN.right,
    height: box.height - MARGIN.top - MARGIN.bottom,
  };
  const known = chart.lines.flatMap(({ values }) => values.filter((value) => value !== null));
  const steps = ticks(Math.max(chart.least ?? 0.1, ...known) * 1.05, 3);
  const x = (place) => plot.left + (plot.width * place) / Math.max(1, chart.places - 1);
  const y = (value) => plot.top + plot.height * (1 - value / steps.at(-1));
  context.font = FONT;
  context.lineWidth = 1;
  context.setLineDash([]);
  for (const step of steps) {
    context.strokeStyle = colour.grid;
    stroke(context, [[plot.left, y(step)], [plot.left + plot.width, y(step)]]);
    text(context, String(step), plot.left - 6, y(step) + 4, 'right', colour.quiet);
  }
  chart.labels.forEach((label, index) => {
    const place = index / Math.max(1, chart.labels.length - 1);
    const align = ['left', 'center', 'right'][Math.round(place * 2)];
    const at = plot.left + plot.width * place;
    text(context, label, at, box.y + box.height - 6, align, colour.quiet);
  });
  text(context, chart.title, box.x + 4, box.y + 13, 'left', colour.text);
  context.strokeStyle = colour.mark;
  context.setLineDash([2, 4]);
  for (const mark of chart.marks ?? []) {
    stroke(context, [[x(mark), plot.top], [x(mark), plot.top + plot.height]]);
  }
  context.lineWidth = 1.5;
  let right = box.x + box.width - MARGIN.right;
  [...chart.lines.entries()].reverse().forEach(([index, { name, values }]) => {
    context.strokeStyle = colour.lines[index];
    context.setLineDash(DASHES[index]);
    for (const points of runs(values)) stroke(context, points.map(([n, v]) => [x(n), y(v)]));
    if (chart.lines.length < 2) return;
    text(context, name, right, box.y + 13, 'right', colour.text);
    right -= context.measureText(name).width + 30;
    stroke(context, [[right, box.y + 9], [right + 24, box.y + 9]]);
    right -= 14;
  });
}

/**
 * @param {(number|null)[]} values
 * @returns {Generator<[number, number][]>} The places and values between gaps.
 */
export function* runs(values) {
  let points = [];
  for (const [place, value] of values.entries()) {
    if (value !== null) points.push([place, value]);
    else if (points.length) {
      yield points;
      points = [];
    }
  }
  if (points.length) yield points;
}

/** @param {CanvasRenderingContext2D} context @param {[number, number][]} points */
function stroke(context, points) {
  context.beginPath();
  // A single point is a short line.
  if (points.length === 1) context.moveTo(points[0][0] - 1, points[0][1]);
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

function text(context, words, x, y, align, colour) {
  context.fillStyle = colour;
  context.textAlign = align;
  context.fillText(words, x, y);
}

/**
 * Draws charts below each other.
 *
 * @param {HTMLCanvasElement} canvas Its CSS size is that of the picture.
 * @param {Chart[]} charts
 * @param {{width: number, height: number}} [size] In CSS pixels; by default that of the
 *   element.
 */
export function drawCharts(canvas, charts, size) {
  const width = size?.width ?? canvas.clientWidth;
  const height = size?.height ?? canvas.clientHeight;
  if (!width || !height) return;
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.fillStyle = colours().ground;
  context.fillRect(0, 0, width, height);
  const each = height / charts.length;
  charts.forEach((chart, index) =>
    draw(context, chart, { x: 0, y: index * each, width, height: each }),
  );
}
