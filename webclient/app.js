/**
 * The page: its views and their shared settings.
 *
 * @module
 */

import { wireCopyButton } from './ui/clipboard.js';
import { AdminView } from './views/admin-view.js';
import { $, announce } from './ui/dom.js';
import { LinkView } from './views/link-view.js';
import { navigate } from './ui/navigation.js';
import { onNetworkChange } from './link/network.js';
import { PingView } from './views/ping-view.js';
import { PublishView } from './views/publish-view.js';
import { showNote } from './views/reading.js';
import {
  initialStreamName,
  rememberToken,
  rememberedDelay,
  rememberedToken,
  streamNameProblem,
} from './ui/settings.js';
import { StreamsView } from './views/streams-view.js';
import { WatchView } from './views/watch-view.js';

const settings = {
  stream: initialStreamName(location.search),
  token: rememberedToken(),
  delay: rememberedDelay(),
};
const linkView = new LinkView();
const ping = new PingView(settings, linkView);
const publish = new PublishView(settings, linkView);
const watch = new WatchView(settings, linkView);
const streams = new StreamsView(settings, linkView);
const admin = new AdminView(settings, linkView);
const views = { ping, publish, watch, streams, admin };
const links = [ping.link, publish.link, watch.link];

/** @type {keyof typeof views} */
let front = 'ping';

$('try-now').addEventListener('click', () => views[front].tryNow());
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll('.copy')
)) {
  wireCopyButton(button, () => $(button.dataset.source).textContent, announce);
}

/* Settings */

function showStream() {
  $('stream').value = settings.stream;
  $('stream-brief').textContent = settings.stream;
}

/** Shows the stream name only in the Ping view: other views have their own. */
function showSettings() {
  const pinging = front === 'ping';
  $('stream-setting').hidden = !pinging;
  $('stream-brief').hidden = !pinging;
  $('apply').textContent = pinging ? 'Apply and reconnect' : 'Apply';
}

/** @param {string} token */
function useToken(token) {
  settings.token = token;
  $('token').value = token;
  rememberToken(token);
}

/** @param {string} form @param {string} field */
function wireTokenForm(form, field) {
  $(form).addEventListener('submit', (event) => {
    event.preventDefault();
    useToken($(field).value.trim());
    $(field).value = '';
    views[front].tryNow();
  });
}

wireTokenForm('token-form', 'problem-token');
wireTokenForm('streams-token-form', 'streams-token');

$('settings-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const pinging = front === 'ping';
  const name = $('stream').value.trim();
  const problem = pinging ? streamNameProblem(name) : null;
  $('stream').setAttribute('aria-invalid', String(Boolean(problem)));
  $('stream-problem').textContent = problem ?? '';
  if (problem) {
    $('stream').focus();
    return;
  }
  useToken($('token').value.trim());
  if (pinging) {
    settings.stream = name;
    showStream();
    // A reload or a copied URL leads to this stream again.
    history.replaceState(null, '', `?${new URLSearchParams({ stream: name })}`);
    ping.reconnect();
  } else {
    announce('The token is set.');
    views[front].refresh?.();
  }
});

/* Events of the page */

addEventListener('pagehide', () => {
  views[front].leave();
  publish.end();
});
addEventListener('pageshow', (event) => {
  // Restored from the back/forward cache; leaving the page has ended the session.
  if (event.persisted) views[front].enter('');
});

onNetworkChange(() => links.forEach((link) => link.networkChanged()));
// Timers of a hidden page are throttled, so retry at once when it is shown.
document.addEventListener('visibilitychange', () => {
  for (const link of links) {
    if (!document.hidden && link.phase === 'waiting') link.tryNow();
  }
});

showStream();
$('token').value = settings.token;
const wanted = new URLSearchParams(location.search).get('stream') ?? settings.stream;
if (wanted !== settings.stream) {
  showNote(`“${wanted.slice(0, 64)}” is not a stream name; using ${settings.stream}.`);
}
navigate(views, (view, unknown) => {
  front = view;
  if (unknown) showNote(`This page has no view “${unknown.slice(0, 64)}”; here is Ping.`);
  showSettings();
});
