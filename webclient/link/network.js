/**
 * Changes of the device's network.
 *
 * @module
 */

/**
 * Calls a function when the device's network changes: when it is online again, or
 * switches from Wi-Fi to mobile, for example. Not all browsers report the latter.
 *
 * @param {() => void} callback
 */
export function onNetworkChange(callback) {
  addEventListener('online', callback);
  const { connection } = navigator;
  let type = connection?.type;
  connection?.addEventListener?.('change', () => {
    // The event also reports new speed estimates.
    if (connection.type === type) return;
    type = connection.type;
    if (type !== 'none') callback();
  });
}

/**
 * @param {number} limit Milliseconds.
 * @param {AbortSignal} signal Ends the wait.
 * @returns {Promise<boolean>} Whether the device is online.
 */
export function untilOnline(limit, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve(navigator.onLine);
    };
    const timer = setTimeout(done, limit);
    addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
