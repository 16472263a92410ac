/**
 * Why no path to the server was found, as exactly as can be told.
 *
 * @module
 */

/**
 * An error of a STUN or TURN server, as in the event `icecandidateerror`.
 *
 * @typedef {object} ServerError
 * @property {string} url
 * @property {number} errorCode As in STUN (RFC 8489 section 14.8); 701 if it cannot be
 *   reached.
 * @property {string} errorText
 */

/**
 * What is known of a connection that failed.
 *
 * @typedef {object} Attempt
 * @property {string} answer The SDP of the server.
 * @property {string} local The SDP of this browser, with its candidates.
 * @property {string} host The host in the URL of the server.
 * @property {ServerError[]} errors
 * @property {RTCIceServer[]} servers The STUN and TURN servers that were used.
 */

const CANDIDATE = /^a=candidate:\S+ \d+ (udp|tcp) \d+ (\S+) (\d+) typ/gim;
const UNREACHABLE = 701;

/** @param {string} sdp @returns {{protocol: string, address: string, port: string}[]} */
function candidatesIn(sdp) {
  return [...sdp.matchAll(CANDIDATE)].map(([, protocol, address, port]) => ({
    protocol: protocol.toUpperCase(),
    address,
    port,
  }));
}

/** @param {string} host As in a URL or a candidate. */
function isLoopback(host) {
  return /^(127\.|\[?::1\]?$|localhost$|.*\.localhost$)/i.test(host);
}

/** Private and link-local addresses (RFC 1918, RFC 6598, RFC 4193, RFC 4291). */
function isPrivate(host) {
  const name = host.replace(/^\[/, '');
  return (
    /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(name) ||
    /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(name) ||
    /^(f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):/i.test(name)
  );
}

/** Names that are known in one network only: without a dot, or of its own. */
function isLocalName(host) {
  return (
    isLoopback(host) ||
    isPrivate(host) ||
    !/[.:]/.test(host) ||
    /\.(local|lan|home|internal|home\.arpa)$/i.test(host)
  );
}

/** @param {ServerError[]} errors @param {RTCIceServer[]} servers */
function whyNoTurn(errors, servers) {
  const error =
    errors.find(({ url, errorCode }) => /^turns?:/.test(url) && errorCode !== UNREACHABLE) ??
    errors.find(({ url }) => /^turns?:/.test(url));
  if (!error) return null;
  const { url, errorCode, errorText } = error;
  if (errorCode === UNREACHABLE) {
    return `The TURN server ${url} cannot be reached. Try another network, or tell who runs it.`;
  }
  if (errorCode !== 401) {
    const why = `${errorText || 'error'} (${errorCode})`;
    return `The TURN server ${url} refuses to relay: ${why}. Tell who runs it.`;
  }
  const server = servers.find(({ urls }) => [urls].flat().includes(url));
  // Credentials that are made for a time begin with it.
  const end = /^(\d{9,11}):/.exec(server?.username ?? '')?.[1];
  const reason =
    end && end * 1000 < Date.now()
      ? `they were valid until ${new Date(end * 1000).toLocaleTimeString()}. Connect again.`
      : 'its secret may be another one than that of the server. Tell who runs it.';
  return `The TURN server ${url} does not accept the credentials (401): ${reason}`;
}

/** @param {{protocol: string, address: string, port: string}[]} offered */
function whatMustBeOpen(offered) {
  const ports = [...new Set(offered.map(({ protocol, port }) => `${protocol} port ${port}`))];
  const addresses = [...new Set(offered.map(({ address }) => address))];
  const more = addresses.length > 3 ? ' …' : '';
  return (
    `Nothing came back from ${ports.join(' and ')} at ` +
    `${addresses.slice(0, 3).join(', ')}${more}. A firewall on the way may block it; in a ` +
    'container, the port must be published for UDP, too.'
  );
}

/**
 * @param {Attempt} attempt
 * @returns {string} One or more sentences.
 */
export function whyNoPath({ answer, local, host, errors, servers }) {
  const offered = candidatesIn(answer);
  if (!offered.length) {
    return (
      'The answer of the server has no address to connect to. Whoever runs it can give it ' +
      'one with the setting --public-address.'
    );
  }
  const turn = whyNoTurn(errors, servers);
  if (turn) return turn;
  if (!/^a=candidate:/m.test(local)) {
    return (
      'This browser has no network address to connect from. Browsers make no connections ' +
      'over the loopback interface alone: connect this device to a network. (The command ' +
      'whipbird ping needs none.)'
    );
  }
  const { address } = offered[0];
  if (offered.every((each) => isLoopback(each.address)) && !isLoopback(host)) {
    return (
      `The server offers its loopback address only (${address}), which no other machine can ` +
      'reach. It needs a network, or the setting --public-address.'
    );
  }
  if (offered.every((each) => isLocalName(each.address)) && !isLocalName(host)) {
    return (
      `The server offers private addresses only (${address}), which cannot be reached from ` +
      'outside of its network. It needs the setting --public-address.'
    );
  }
  return whatMustBeOpen(offered);
}
