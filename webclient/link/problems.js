/**
 * Explains errors in plain words: what happened, and what to do about it.
 *
 * @module
 */

/** @typedef {import('../client/whip-error.js').WhipError} WhipError */

/**
 * @typedef {object} Explanation
 * @property {string} title One short sentence.
 * @property {string} text What it means and what to do.
 * @property {string} [technical] For whoever runs the server: method, status, title.
 */

/** Longer reasons are cut. */
const LONGEST = 500;

/** Ends a sentence of the server with a full stop. */
function sentence(text) {
  if (text.length > LONGEST) return `${text.slice(0, LONGEST)}…`;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The title of a 409 to a publisher. */
export const STREAM_TAKEN = 'Somebody else publishes this stream';

/**
 * Whether another token may help.
 *
 * @param {WhipError} error
 * @returns {boolean}
 */
export function wantsToken({ kind, status, hadToken }) {
  return kind === 'http' && (status === 401 || (status === 403 && hadToken));
}

/** Who can help where the user cannot. */
const ASK = 'Whoever runs the server can tell more.';

/** Titles and advice for the statuses of HTTP with a meaning: 401 to a token, 403, 406. */
function httpAdvice({ status, hadToken, redirectedTo }) {
  if (status === 401) {
    const elsewhere =
      redirectedTo && new URL(redirectedTo).origin !== globalThis.location.origin
        ? ' It may not have got it: browsers send no token on to another host.'
        : '';
    return ['The server does not accept the token', ` Is there a mistake in it?${elsewhere}`];
  }
  if (status === 403 && hadToken) {
    return ['The token does not permit this', ' Whoever runs the server can give you another.'];
  }
  if (status === 406) return ['This browser cannot play the stream', ' Try another browser.'];
  return null;
}

/**
 * The reason given by the server.
 *
 * @param {WhipError} error
 * @returns {string} Whole sentences.
 */
export function reasonOf({ title, detail }) {
  return [title, detail]
    .filter((text) => text)
    .map(sentence)
    .join(' ');
}

/** @param {number} seconds @returns {string} */
export function describeWait(seconds) {
  if (seconds >= 7200) return `${Math.ceil(seconds / 3600)} h`;
  if (seconds >= 120) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.ceil(seconds)} s`;
}

/** @param {WhipError} error @param {string} conflict @returns {Explanation} */
function explainHttp(error, conflict) {
  const reason = reasonOf(error);
  const opening = error.method === 'POST';
  const way = error.redirectedTo ? ` (redirected to ${error.redirectedTo})` : '';
  const isConflict = opening && error.status === 409;
  const technical = `${error.method ?? 'Request'} → HTTP ${error.status}${way}`;
  if (error.retryAfter !== undefined) {
    const wait = describeWait(error.retryAfter);
    if (isConflict) {
      // What the title of the reason says is said already.
      const how = conflict === STREAM_TAKEN ? ' Press Stop to enter another name.' : '';
      return { title: conflict, text: sentence(error.detail ?? reason) + how, technical };
    }
    return {
      title: 'The server asks to wait',
      text: `It said: ${reason} The next try should not come before ${wait} are over.`,
      technical,
    };
  }
  if (error.isServerError) {
    const failed = opening ? 'It could not open a session' : 'It said';
    return {
      title: 'The server has a problem',
      text: `${failed}: ${reason} This often passes by itself; if not, tell whoever runs the server.`,
      technical,
    };
  }
  if (error.status === 401 && !error.hadToken) {
    // What a program would have to send helps no person.
    return {
      title: 'The server asks for a token',
      text: 'Whoever runs the server can give you one.',
      technical: `${technical}: ${reason}`,
    };
  }
  if (error.isClientError) {
    const refused = `The server refused ${opening ? 'the connection' : 'to answer'}`;
    const [title, hint] = httpAdvice(error) ?? [
      isConflict ? conflict : refused,
      isConflict && conflict === STREAM_TAKEN
        ? ' Choose another name, or wait until this one is free.'
        : ` ${ASK}`,
    ];
    return { title, text: `It said: ${reason}${hint}`, technical };
  }
  return {
    title: 'The server gave an unexpected answer',
    text: `It said: ${reason} Is this the address of a WHIP server?`,
    technical,
  };
}

/**
 * Explains to whoever has opened a link for viewers why it is refused.
 *
 * @param {WhipError} error
 * @returns {Explanation|null} Null if something else is wrong.
 */
export function explainLink({ method, status, title, detail }) {
  const technical = `${method} → HTTP ${status}`;
  if (status === 403) {
    return {
      title: 'This link is for something else',
      text: 'It permits to watch one stream. Open it as you got it, or ask for another.',
      technical,
    };
  }
  if (status !== 401) return null;
  if (title === 'Link expired') {
    return { title: 'This link has expired', text: sentence(detail ?? ''), technical };
  }
  return {
    title: 'This link is not valid',
    text:
      'Maybe a part of it is missing, or whoever runs the server has ended it. ' +
      'Ask whoever gave it to you for another.',
    technical,
  };
}

/**
 * @param {WhipError} error
 * @param {string} [conflict] What a 409 to the POST means here.
 * @returns {Explanation}
 */
export function explain(error, conflict = STREAM_TAKEN) {
  switch (error.kind) {
    case 'unsupported':
      return {
        title: 'This browser cannot do WebRTC',
        text:
          'Whipbird needs WebRTC, which this browser does not have or has switched off. ' +
          'Please use a current Firefox, Chrome, Edge or Safari. Some privacy extensions ' +
          'switch WebRTC off; allow it for this page then.',
      };
    case 'network':
      return {
        title: 'The server cannot be reached',
        text:
          'It may be down or restarting, or this device may be offline: check its connection, ' +
          'and whether the server runs.',
      };
    case 'timeout':
      return {
        title: 'The server does not answer',
        text:
          'It may be overloaded, or something on the way holds the request up. If it stays ' +
          'so, try another network, or tell whoever runs the server.',
      };
    case 'http':
      return explainHttp(error, conflict);
    case 'ice':
      return {
        title: 'Nothing gets through to the server',
        // A known reason is better than a guess.
        text:
          'The server answered over HTTP, but no path for the media was found. ' +
          (error.detail ?? ''),
      };
    case 'lost':
    case 'ended':
      return {
        title: 'The connection was lost',
        text:
          `${sentence(error.detail ?? 'The server stopped answering.')} The page connects ` +
          'again by itself; if that comes often, try another network.',
      };
    default:
      return {
        title: sentence(error.title ?? 'Something went wrong').replace(/\.$/, ''),
        text: sentence(error.detail ?? `Reload the page, and try again. ${ASK}`),
      };
  }
}
