/**
 * The ping page: wires controls, link, pinger and view together.
 *
 * @module
 */

import { wireCopyButton } from './clipboard.js';
import { Link } from './link.js';
import { onNetworkChange } from './network.js';
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
/** Bytes; what stands in the field once it is confirmed, not while somebody types. */
let size = 64;
/** The next result was asked for by hand, so screen readers hear it. */
let announceNext = false;
/** The number of the ping that the big reading is about. */
let shown = 0;

/** Milliseconds that a retry takes before anything is made of it. */
const RETRY_GRACE = 400;

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
  let problem = result.problem ?? '';
  if (problem && $('auto').checked) {
    setAuto(false);
    problem += ' Auto-ping is off.';
  }
  $('size').setAttribute('aria-invalid', String(Boolean(problem)));
  // What was just switched off is no reason to say it all again, without that.
  if (!problem || !$('size-problem').textContent.startsWith(problem)) {
    $('size-problem').textContent = problem;
  }
  size = result.size ?? size;
  return result.size ?? null;
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

function sendPing() {
  try {
    pinger.ping(size);
  } catch (error) {
    $('size-problem').textContent = `The browser could not send it: ${error.message}`;
  }
}

function showStatistics() {
  const summary = statistics.summary();
  const { average, answered, lost } = summary;
  view.showFigures(summary);
  graph.show(statistics.recent(graph.capacity), { average, count: answered + lost });
}

/** The reading is about the latest ping: that an earlier one is lost may turn out later. */
function showReading(sequence, rtt, note) {
  if (sequence < shown) return;
  shown = sequence;
  view.showReading(rtt, note);
}

function setAuto(on) {
  $('auto').checked = on;
  if (!on) {
    pinger.stopAuto();
    return;
  }
  const tick = () => whenPainted(() => $('auto').checked && sendPing());
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
    whenPainted(sendPing);
  } else {
    pingWhenOpen = true;
    view.showNote('The ping goes out as soon as the connection is open.');
    if (!link.active) link.tryNow();
  }
});
$('auto').addEventListener('change', () => {
  payloadSize();
  setAuto($('auto').checked);
});
$('interval').addEventListener('change', () => setAuto($('auto').checked));
$('size').addEventListener('change', payloadSize);
$('reset').addEventListener('click', () => {
  statistics.reset();
  showStatistics();
  view.showNoReading();
  view.announce('Figures cleared.');
});

pinger.addEventListener('echo', ({ detail: { sequence, rtt, size: bytes } }) => {
  statistics.add(sequence, rtt);
  const note = `Ping ${sequence}, ${bytes.toLocaleString('en')} bytes there and back.`;
  showReading(sequence, rtt, note);
  showStatistics();
  if (announceNext) view.announce(`Round-trip time ${formatMs(rtt)}`);
  announceNext = false;
});
pinger.addEventListener('lost', ({ detail: { sequence } }) => {
  statistics.add(sequence, null);
  const limit = `${pinger.timeout / 1000} seconds`;
  showReading(sequence, null, `No echo of ping ${sequence} within ${limit}.`);
  showStatistics();
  if (announceNext) view.announce(`Ping ${sequence} was lost.`);
  announceNext = false;
  link.check();
});

/* Connection */

/** @type {ReturnType<typeof setTimeout>|undefined} */
let later;

function showLink() {
  clearTimeout(later);
  later = undefined;
  view.showState(link, wasConnected);
  view.showProblem(link);
}

link.addEventListener('change', () => {
  // A retry that fails at once is not worth a word: screen readers would tell of it
  // every time, and buttons would change under the finger.
  if (link.phase === 'connecting' && link.problem) later ??= setTimeout(showLink, RETRY_GRACE);
  else showLink();
  if (link.phase === 'stopped' && pingWhenOpen) {
    pingWhenOpen = false;
    view.showNote('There was no connection to ping over.');
  }
  view.showSetup(link);
  view.showDescriptions(link);
});
link.addEventListener('session', view.showNewSession);
link.addEventListener('mark', () => {
  view.showSetup(link);
  view.showDescriptions(link);
});
link.addEventListener('countdown', ({ detail }) => view.showCountdown(detail));
link.addEventListener('trickle', () => view.showTrickle(link));
link.addEventListener('recovery', () => {
  view.showState(link, wasConnected);
  if (link.recovery.state === 'found') view.showPair(link);
});
link.addEventListener('open', () => {
  wasConnected = true;
  pinger.attach(link.channel);
  $('size-hint').textContent = `at most ${maxPayload().toLocaleString('en')}`;
  view.showPair(link);
  // Another server may take less.
  if (payloadSize() !== null && pingWhenOpen) whenPainted(sendPing);
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
$('restart').addEventListener('click', () => link.restart());
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
  // A reload, or a copy of the address, means this stream again.
  history.replaceState(null, '', `?${new URLSearchParams({ stream })}`);
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

onNetworkChange(() => link.networkChanged());
// Timers of a hidden page hardly run: no reason to wait longer.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && link.phase === 'waiting') link.tryNow();
});

showStream();
const wanted = new URLSearchParams(location.search).get('stream') ?? stream;
if (wanted !== stream) {
  view.showNote(`“${wanted.slice(0, 64)}” is no stream name; this is ${stream}.`);
}
view.showSetup(link);
showStatistics();
link.connect();
