/**
 * Says in a viewer's words why a stream does not play, and what happens next.
 *
 * @module
 */

import { explain, explainLink, wantsToken } from '../link/problems.js';
import { recoveryHint } from '../link/recovery-words.js';

/** @typedef {import('../media/watching.js').Watching} Watching */

/**
 * What is shown in place of the picture, or above it.
 *
 * @typedef {object} Cover
 * @property {string} title
 * @property {string} text
 * @property {boolean} [asksForToken]
 * @property {boolean} [canRetry] Whether the user can try again.
 */

/** @param {string} stream @param {boolean} seen @returns {Cover} */
function absence(stream, seen) {
  if (seen) {
    return {
      title: `${stream} has stopped`,
      text: 'If it comes back, it goes on here by itself.',
    };
  }
  return {
    title: `${stream} is not live yet`,
    text: 'It begins here by itself. You can leave this page open.',
  };
}

/**
 * @param {Watching} watching
 * @param {boolean} isLink Whether the page was opened by a link for viewers.
 * @returns {Cover} The words of an error.
 */
function failure({ link, viewer, seen }, isLink) {
  const { problem } = link;
  if (problem.status === 409) return absence(viewer.stream, seen);
  const refused = isLink ? explainLink(problem) : null;
  if (refused) return { title: refused.title, text: refused.text, canRetry: true };
  if (wantsToken(problem)) {
    return problem.hadToken
      ? { title: 'This token does not open it', text: 'Is there a mistake in it?', asksForToken: true }
      : { title: `${viewer.stream} needs a token`, text: 'Whoever sent you the link can give you one.', asksForToken: true };
  }
  const { title, text } = explain(problem);
  return { title, text, canRetry: problem.kind !== 'unsupported' };
}

/**
 * @param {Watching} watching
 * @param {boolean} [isLink] Whether the page was opened by a link for viewers.
 * @returns {Cover|null} Null if it plays.
 */
export function coverOf(watching, isLink = false) {
  const { link, viewer, live, note, incoming, seen } = watching;
  if (!link.established) {
    if (link.problem) return failure(watching, isLink);
    return { title: viewer.wanted ? 'Connecting…' : '', text: '' };
  }
  if (link.phase === 'interrupted') {
    return { title: 'The connection is interrupted', text: recoveryHint(link.recovery) };
  }
  if (note && live === null) return absence(viewer.stream, seen);
  if (note) return { title: note, text: '' };
  return incoming ? null : { title: 'Connecting…', text: '' };
}
