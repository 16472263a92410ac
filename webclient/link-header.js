/**
 * Link headers (RFC 8288), and the STUN and TURN servers in them (RFC 9725,
 * section 4.6). Pure functions on text.
 *
 * @module
 */

/**
 * @typedef {object} Link
 * @property {string} target What stands between < and >.
 * @property {Map<string, string>} parameters By name, in lower case. Of a name that
 *   comes twice the first counts.
 */

/** A link's target; blanks and empty list members may stand before it. */
const TARGET = /[\s,]*<([^>]*)>/y;
/** One parameter: a name, which a token or a quoted string may follow. */
const PARAMETER = /\s*;\s*(?:([^\s"(),/:;<=>?@[\\\]{}]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?)?/y;

/**
 * Parses the value of one Link header, or of several that a comma joins (which is how
 * `Headers.get` gives them).
 *
 * @param {string|null} value
 * @returns {Link[]} In the order of the header; of a malformed one, what stands before
 *   the fault.
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
 * The STUN and TURN servers that a response names. Links of other relations are none
 * of our business, and servers that need another kind of credential than a password are
 * of no use here: browsers know no other.
 *
 * @param {string|null} value Of the Link headers.
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
