/**
 * Link headers (RFC 8288), and the STUN and TURN servers in them (RFC 9725,
 * section 4.6). Pure functions on text.
 *
 * @module
 */

/**
 * @typedef {object} Link
 * @property {string} target The text between < and >.
 * @property {Map<string, string>} parameters By name in lower case; of duplicate names
 *   the first counts.
 */

/** A link's target, after optional blanks and empty list members. */
const TARGET = /[\s,]*<([^>]*)>/y;
/** One parameter: a name and, optionally, a token or quoted string. */
const PARAMETER = /\s*;\s*(?:([^\s"(),/:;<=>?@[\\\]{}]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?)?/y;

/**
 * Parses the value of one Link header, or of several joined by commas as `Headers.get`
 * returns them.
 *
 * @param {string|null} value
 * @returns {Link[]} The links in order, up to the first malformed part.
 */
export function parseLinkHeader(value) {
  const text = value ?? '';
  const links = [];
  let at = 0;
  const next = (pattern) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  for (let link = next(TARGET); link; link = next(TARGET)) {
    const parameters = new Map();
    for (let match = next(PARAMETER); match; match = next(PARAMETER)) {
      const [, name, quoted, token = ''] = match;
      const key = name?.toLowerCase();
      if (key && !parameters.has(key)) {
        parameters.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token);
      }
    }
    links.push({ target: link[1].trim(), parameters });
    if (!/^\s*(,|$)/.test(text.slice(at))) break;
  }
  return links;
}

/**
 * The STUN and TURN servers in Link headers. Links with other relations are ignored, and
 * so are servers with credentials other than passwords, which browsers do not support.
 *
 * @param {string|null} value The value of the Link headers.
 * @returns {RTCIceServer[]}
 */
export function iceServersOf(value) {
  return parseLinkHeader(value)
    .filter(({ target, parameters }) => {
      const relations = (parameters.get('rel') ?? '').toLowerCase().split(/\s+/);
      const type = parameters.get('credential-type') ?? 'password';
      const known = /^(stun|turn)s?:/i.test(target) && type === 'password';
      return known && relations.includes('ice-server');
    })
    .map(({ target, parameters }) => {
      if (/^stuns?:/i.test(target)) return { urls: target };
      const username = parameters.get('username') ?? '';
      return { urls: target, username, credential: parameters.get('credential') ?? '' };
    });
}
