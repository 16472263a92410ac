/**
 * What the browser knows of the device's network.
 *
 * @module
 */

/**
 * Calls back when the device has another network than before: it is online again, or
 * has gone from Wi-Fi to mobile, say. Not every browser tells of the latter.
 *
 * @param {() => void} callback
 */
export function onNetworkChange(callback) {
  addEventListener('online', callback);
  const { connection } = navigator;
  let type = connection?.type;
  connection?.addEventListener?.('change', () => {
    // It also tells of each new estimate of speed.
    if (connection.type === type) return;
    type = connection.type;
    if (type !== 'none') callback();
  });
}

/**
 * @param {number} limit Milliseconds.
 * @param {AbortSignal} signal Ends the waiting.
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
