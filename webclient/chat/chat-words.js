/**
 * Words and figures of a reply.
 *
 * @module
 */

import { formatMs } from '../ping/rtt-statistics.js';

/** @typedef {import('./chat.js').End} End */

const REASONS = {
  length: 'The model has made as many tokens as it may.',
  content_filter: 'The model’s server has stopped it.',
  cancelled: 'Stopped.',
};

/**
 * Why a reply has ended; empty if it simply has, with words.
 *
 * @param {string} reason
 * @param {boolean} hasWords
 */
export const describeReason = (reason, hasWords) =>
  REASONS[reason] ?? (hasWords ? '' : 'The model has answered without a word.');

/** What a model is called on the page: of a file, without its folders. @param {string} name */
export const describeModel = (name) => (/\.gguf$/i.test(name) ? name.split(/[\\/]/).pop() : name);

/** @param {number|null|undefined} rate Tokens per second. */
export function formatRate(rate) {
  if (!rate) return '–';
  return `${rate >= 100 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)} tokens/s`;
}

/**
 * What the model took of the time to the first token; the rest is the network, and what
 * lies on the way.
 *
 * @param {number|null} here Milliseconds, as seen here.
 * @param {number|null|undefined} there As seen by the server.
 */
export function describeFirst(here, there) {
  if (here === null || there === null || there === undefined) return '';
  const rest = Math.max(here - there, 0);
  return `The model took ${formatMs(there)} of it, the way there and back ${formatMs(rest)}.`;
}

/** @param {End['usage']} usage */
export function formatTokens(usage) {
  if (!usage) return '–';
  const [prompt, reply] = [usage.prompt_tokens, usage.completion_tokens];
  return `${prompt.toLocaleString('en')} + ${reply.toLocaleString('en')}`;
}
