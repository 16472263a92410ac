/**
 * A timer in a worker: that of a page is slow while the page is hidden.
 *
 * It takes a period in milliseconds, and sends an empty message after each.
 */

let timer;

addEventListener('message', ({ data }) => {
  clearInterval(timer);
  timer = setInterval(() => postMessage(null), data);
});
