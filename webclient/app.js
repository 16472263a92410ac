/**
 * The ping page: wires controls, link, pinger and view together.
 *
 * @module
 */

import { wireCopyButton } from './clipboard.js';
import { Link } from './link.js';
import { DEFAULT_MAX_PAYLOAD, Pinger, parsePayloadSize } from './ping.js';
import { RttGraph } from './rtt-graph.js';
import { RttStatistics, formatMs } from './rtt-statistics.js';
import { endpointOf, initialStreamName, streamNameProblem } from './settings.js';
import * as view from './view.js';

const { $ } = view;

let stream = initialStreamName(location.search);
let token = '';
let wasConnected = false;
/** Ping was pressed before there was a channel. */
let pingWhenOpen = false;
/** The next result was asked for by hand, so screen readers hear it. */
let announceNext = false;

const statistics = new RttStatistics();
const graph = new RttGraph($('graph'));
const pinger = new Pinger();
const link = new Link(() => ({ endpoint: endpointOf(stream), token }));

function maxPayload() {
  return link.client?.pc.sctp?.maxMessageSize ?? DEFAULT_MAX_PAYLOAD;
}

/** @returns {number|null} The chosen payload size; null, and said so, when invalid. */
function payloadSize() {
  const result = parsePayloadSize($('size').value, maxPayload());
  const problem = result.problem ?? '';
  $('size').setAttribute('aria-invalid', String(Boolean(problem)));
  if ($('size-problem').textContent !== problem) $('size-problem').textContent = problem;
  return result.size ?? null;
}

function sendPing() {
  const size = payloadSize();
  if (size === null) return;
  try {
    pinger.ping(size);
  } catch (error) {
    $('size-problem').textContent = `The browser could not send it: ${error.message}`;
  }
}

function showStatistics() {
  view.showFigures(statistics.summary());
  graph.show(statistics.recent(graph.capacity));
}

function setAuto(on) {
  $('auto').checked = on;
  if (!on) {
    pinger.stopAuto();
    return;
  }
  const tick = () => pinger.ready && sendPing();
  pinger.startAuto(Number($('interval').value), tick);
  if (!link.active) link.tryNow();
}

/* Pings */

$('ping').addEventListener('click', () => {
  announceNext = true;
  if (payloadSize() === null) {
    $('size').focus();
    return;
  }
  if (pinger.ready) {
    sendPing();
  } else {
    pingWhenOpen = true;
    if (!link.active) link.tryNow();
  }
});
$('auto').addEventListener('change', () => setAuto($('auto').checked));
$('interval').addEventListener('change', () => setAuto($('auto').checked));
$('size').addEventListener('change', payloadSize);
$('reset').addEventListener('click', () => {
  statistics.reset();
  showStatistics();
  view.announce('Figures cleared.');
});

pinger.addEventListener('echo', ({ detail: { sequence, rtt, size } }) => {
  statistics.add(sequence, rtt);
  const note = `Ping ${sequence}, ${size.toLocaleString('en')} bytes there and back.`;
  view.showReading(rtt, note);
  showStatistics();
  if (announceNext) view.announce(`Round-trip time ${formatMs(rtt)}`);
  announceNext = false;
});
pinger.addEventListener('lost', ({ detail: { sequence } }) => {
  statistics.add(sequence, null);
  view.showReading(null, `No echo of ping ${sequence} within ${pinger.timeout / 1000} seconds.`);
  showStatistics();
  if (announceNext) view.announce(`Ping ${sequence} was lost.`);
  announceNext = false;
  link.check();
});

/* Connection */

link.addEventListener('change', () => {
  view.showState(link, wasConnected);
  view.showProblem(link);
  view.showDescriptions(link);
});
link.addEventListener('mark', () => {
  view.showSetup(link);
  view.showDescriptions(link);
});
link.addEventListener('countdown', ({ detail }) => view.showCountdown(detail));
link.addEventListener('trickle', ({ detail }) => view.showTrickle(detail));
link.addEventListener('open', () => {
  wasConnected = true;
  pinger.attach(link.channel);
  $('size-hint').textContent = `of ${maxPayload().toLocaleString('en')} bytes`;
  view.showPair(link);
  if (pingWhenOpen) sendPing();
  pingWhenOpen = false;
});
link.addEventListener('close', ({ detail: { lost } }) => {
  pinger.detach({ lost });
  view.showReadingIsOld();
});

$('connect').addEventListener('click', () => {
  pingWhenOpen = false;
  if (link.phase === 'idle' || link.phase === 'stopped') {
    link.connect();
  } else {
    wasConnected = false;
    setAuto(false);
    link.disconnect();
  }
});
$('try-now').addEventListener('click', () => {
  // The button disappears while it tries; its focus must not.
  $('ping').focus();
  link.tryNow();
});

/* Session details and settings */

function showStream() {
  $('stream').value = stream;
  $('stream-brief').textContent = stream;
  $('endpoint').textContent = endpointOf(stream);
}

$('settings-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const name = $('stream').value.trim();
  const problem = streamNameProblem(name);
  $('stream').setAttribute('aria-invalid', String(Boolean(problem)));
  $('stream-problem').textContent = problem ?? '';
  if (problem) {
    $('stream').focus();
    return;
  }
  stream = name;
  token = $('token').value.trim();
  showStream();
  await link.disconnect();
  link.connect();
});
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll('.copy')
)) {
  wireCopyButton(button, $(button.dataset.source), view.announce);
}
$('pair').closest('details').addEventListener('toggle', () => view.showPair(link));

/* The page's own life */

let resume = false;
addEventListener('pagehide', () => {
  resume = link.active || link.phase === 'waiting';
  link.leave();
});
addEventListener('pageshow', (event) => {
  // Back from the back/forward cache: the session was ended when the page was left.
  if (event.persisted && resume) link.connect();
});

/** Something changed for the better: no reason to wait longer. */
function retryIfWaiting() {
  if (link.phase === 'waiting') link.tryNow();
}
addEventListener('online', retryIfWaiting);
// Timers of a hidden page hardly run.
document.addEventListener('visibilitychange', () => document.hidden || retryIfWaiting());

showStream();
view.showSetup(link);
showStatistics();
link.connect();
