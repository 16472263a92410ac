/**
 * Begins the session of the Ping view while the rest of the page is still loading. This
 * script stands in the page itself, before everything else.
 *
 * @module
 */

import { prepareAttempt } from './client/attempt.js';
import {
  endpointOf,
  initialStreamName,
  rememberedDelay,
  rememberedToken,
} from './ui/settings.js';

/** @typedef {import('./client/attempt.js').Attempt} Attempt */
/** @typedef {import('./ui/settings.js').Settings} Settings */

/** The settings of the page. @type {Settings} */
export const settings = {
  stream: initialStreamName(location.search),
  token: rememberedToken(),
  delay: rememberedDelay(),
};

/** The use of the sessions of the Ping view. @type {import('./client/attempt.js').SessionUse} */
export const PING_USE = { channel: 'ping' };

/** Whether the URL names the view that the page has in front at first. */
const isPing = /^#?(ping)?$/.test(location.hash);

// Nothing of it is shown then, as it would have to make room for another one.
document.documentElement.classList.toggle('is-loading', !isPing);

/** @returns {Attempt|null} Null if another view is wanted, or the browser cannot. */
function begin() {
  if (!isPing) return null;
  try {
    const target = { endpoint: endpointOf(settings.stream), token: settings.token };
    const attempt = prepareAttempt(target, PING_USE);
    // Who takes it over handles the failure.
    attempt.connected().catch(() => {});
    return attempt;
  } catch {
    // The view's own attempt fails in the same way, and says why.
    return null;
  }
}

let begun = begin();
addEventListener('pagehide', () => begun?.client.close());

/** @returns {Attempt|null} The session that was begun; null if it was taken before. */
export function takeBegun() {
  const taken = begun;
  begun = null;
  return taken;
}
