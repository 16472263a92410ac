/**
 * Describes the search for a new network path in words.
 *
 * @module
 */

import { explain, reasonOf } from './problems.js';

/** @typedef {import('./path-recovery.js').PathRecovery} PathRecovery */

/** @type {Partial<Record<import('./path-recovery.js').RecoveryState, string>>} */
const HINTS = {
  restarting: 'looking for a new path…',
  pausing: 'looking again in a moment…',
  offline: 'this device is offline',
  found: 'a new path is found',
};

/**
 * A hint on the recovery of an interrupted connection.
 *
 * @param {PathRecovery|null} recovery
 * @returns {string} To append to the state; may be empty.
 */
export function recoveryHint(recovery) {
  return HINTS[recovery?.state] ?? '';
}

/** The causes of a search, except the user's request. */
const CAUSES = {
  asked: '',
  network: 'The network has changed. ',
  silence: 'Nothing came through. ',
};

/** @param {import('../client/whip-error.js').WhipError} error @returns {string} */
function explainFailure(error) {
  if (error.kind === 'http') return `The server said: ${reasonOf(error)}`;
  if (error.kind === 'protocol') return reasonOf(error);
  if (error.kind === 'ice') return error.detail;
  return `${explain(error).title}.`;
}

/**
 * Describes the progress or result of the search.
 *
 * @param {PathRecovery} recovery
 * @param {import('./link.js').LinkPhase} phase The phase of the link.
 * @returns {string} Whole sentences; empty if it was stopped.
 */
export function describeRecovery({ state, cause, times, error }, phase) {
  const why = CAUSES[cause];
  switch (state) {
    case 'restarting':
      return `${why}Looking for a new path…`;
    case 'pausing':
      return `${why}No new path yet. Looking again in a moment…`;
    case 'offline':
      return `${why}Looking again when this device has a network.`;
    case 'found': {
      // Rounded first, so that the shown times add up.
      const [total, patch] = [times.found, times.answered].map((ms) => Math.round(ms));
      return `${why}New path found in ${total} ms: PATCH ${patch}, ICE ${total - patch}.`;
    }
    case 'refused':
    case 'failed': {
      const rest = phase === 'connected' ? ' The connection goes on as it was.' : '';
      return `${why}No new path. ${explainFailure(error)}${rest}`;
    }
    default:
      return '';
  }
}
