/**
 * Timers that keep their pace while the page is hidden.
 *
 * @module
 */

/**
 * Calls a function periodically. While it takes longer than the period, calls are left out.
 *
 * @param {() => void} callback
 * @param {number} period Milliseconds.
 * @returns {() => void} Stops it.
 */
export function startTicking(callback, period) {
  let interval;
  const worker = new Worker(new URL('ui/ticker-worker.js', document.baseURI));
  worker.addEventListener('message', () => {
    try {
      callback();
    } finally {
      worker.postMessage(null);
    }
  });
  // The file could not be loaded: the page's own timer is better than none.
  worker.addEventListener('error', () => (interval ??= setInterval(callback, period)), {
    once: true,
  });
  worker.postMessage(period);
  return () => {
    worker.terminate();
    clearInterval(interval);
  };
}
