/**
 * The page: its views and their shared settings.
 *
 * @module
 */

import { settings } from './start.js';
import { wireCopyButton } from './ui/clipboard.js';
import { $, announce } from './ui/dom.js';
import { LinkView } from './views/link-view.js';
import { navigate } from './ui/navigation.js';
import { onNetworkChange } from './link/network.js';
import { PingView } from './views/ping-view.js';
import { showNote } from './views/reading.js';
import { rememberToken, streamNameProblem } from './ui/settings.js';

/** @typedef {import('./ui/navigation.js').View} View */

const linkView = new LinkView();
const ping = new PingView(settings, linkView);

/** The other views are loaded when they are opened. */
const LATER = {
  publish: async () => (await import('./views/publish-view.js')).PublishView,
  watch: async () => (await import('./views/watch-view.js')).WatchView,
  streams: async () => (await import('./views/streams-view.js')).StreamsView,
  admin: async () => (await import('./views/admin-view.js')).AdminView,
  chat: async () => (await import('./views/chat-view.js')).ChatView,
};
/** A server without language models leaves the link to the chat hidden. */
const names = ['ping', ...Object.keys(LATER)].filter((name) => !$(`${name}-link`).hidden);

/** Those that are loaded. @type {Map<string, any>} */
const views = new Map([['ping', ping]]);
let front = 'ping';

/** @param {string} name @returns {Promise<View>} */
async function load(name) {
  const Loaded = await LATER[name]();
  if (!views.has(name)) views.set(name, new Loaded(settings, linkView));
  return views.get(name);
}

const links = () => [...views.values()].flatMap(({ link }) => link ?? []);
const tryNow = () => views.get(front)?.tryNow();

$('try-now').addEventListener('click', tryNow);
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
    tryNow();
  });
}

wireTokenForm('token-form', 'problem-token');
wireTokenForm('token-prompt', 'prompt-token');

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
    views.get(front)?.refresh?.();
  }
});

/* Events of the page */

addEventListener('pagehide', () => {
  views.get(front)?.leave();
  views.get('publish')?.end();
});
addEventListener('pageshow', (event) => {
  // Restored from the back/forward cache; leaving the page has ended the session.
  if (event.persisted) views.get(front)?.enter('');
});

onNetworkChange(() => links().forEach((link) => link.networkChanged()));
// Timers of a hidden page are throttled, so retry at once when it is shown.
document.addEventListener('visibilitychange', () => {
  for (const link of links()) {
    if (!document.hidden && link.phase === 'waiting') link.tryNow();
  }
});

showStream();
$('token').value = settings.token;
const wanted = new URLSearchParams(location.search).get('stream') ?? settings.stream;
if (wanted !== settings.stream) {
  showNote(`“${wanted.slice(0, 64)}” is not a stream name; using ${settings.stream}.`);
}
/** @param {string} name @param {string} unknown The view that the URL names in vain. */
function shown(name, unknown) {
  front = name;
  $('not-loaded').hidden = true;
  if (unknown) showNote(`This page has no view “${unknown.slice(0, 64)}”; here is Ping.`);
  showSettings();
}

// In a task of its own: between two short ones the browser paints, and takes clicks.
setTimeout(() =>
  navigate(
    names,
    (name) => views.get(name) ?? load(name),
    shown,
    () => ($('not-loaded').hidden = false),
  ),
);
