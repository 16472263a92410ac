/**
 * A timer in a worker: that of a page is slow while the page is hidden.
 *
 * It takes a period in milliseconds, and sends an empty message after each; those that the
 * page has answered count as done. A page that is behind gets no others, as they would pile
 * up before all else that it has to do.
 */

let timer;
let isDone = true;

addEventListener('message', ({ data }) => {
  if (data === null) {
    isDone = true;
    return;
  }
  clearInterval(timer);
  timer = setInterval(() => {
    if (!isDone) return;
    isDone = false;
    postMessage(null);
  }, data);
});
