/**
 * All candidate pairs of a connection, from the browser's statistics, and what they say.
 *
 * @module
 */

/**
 * @typedef {object} PairCandidate
 * @property {string} type host, srflx, prflx or relay.
 * @property {string} protocol udp or tcp; of a relay, with the protocol to it.
 * @property {string} address Empty when the browser hides it.
 * @property {number} port
 */

/**
 * @typedef {object} CandidatePair
 * @property {string} id
 * @property {PairCandidate} local
 * @property {PairCandidate} remote
 * @property {string} state frozen, waiting, in-progress, failed or succeeded; in Firefox
 *   cancelled, too.
 * @property {boolean} nominated
 * @property {boolean} selected Whether data goes over it now.
 * @property {number|null} rtt Of the last check, in milliseconds; null without an answer.
 * @property {number|null} requestsSent Checks sent; null where the browser does not count,
 *   as Firefox, here and in the following.
 * @property {number|null} responsesReceived Answers to them.
 * @property {number|null} requestsReceived Checks of the server.
 * @property {number|null} responsesSent Answers to them.
 * @property {number} bytesSent
 * @property {number} bytesReceived
 */

/** The best first; browsers have others, too, as "cancelled". */
const STATES = ['succeeded', 'in-progress', 'waiting', 'frozen'];

/**
 * @param {RTCStatsReport} report The statistics of a connection.
 * @returns {CandidatePair[]} The selected one first, then by state.
 */
export function pairsIn(report) {
  const stats = [...report.values()];
  const selectedIds = new Set(
    stats.filter(({ type }) => type === 'transport').map((each) => each.selectedCandidatePairId),
  );
  const candidate = (id) => {
    const found = report.get(id) ?? {};
    const relayed = found.relayProtocol && `${found.protocol} by ${found.relayProtocol}`;
    return {
      type: found.candidateType ?? '',
      protocol: relayed || (found.protocol ?? ''),
      address: found.address ?? found.ip ?? '',
      port: found.port ?? 0,
    };
  };
  const place = ({ selected, state }) => {
    if (selected) return -1;
    return STATES.includes(state) ? STATES.indexOf(state) : STATES.length;
  };
  return stats
    .filter(({ type }) => type === 'candidate-pair')
    .map((pair) => ({
      id: pair.id,
      local: candidate(pair.localCandidateId),
      remote: candidate(pair.remoteCandidateId),
      state: pair.state,
      nominated: Boolean(pair.nominated),
      // Firefox marks the pair itself.
      selected: selectedIds.has(pair.id) || Boolean(pair.selected),
      // Firefox has zero without an answer.
      rtt: pair.currentRoundTripTime ? 1000 * pair.currentRoundTripTime : null,
      requestsSent: pair.requestsSent ?? null,
      responsesReceived: pair.responsesReceived ?? null,
      requestsReceived: pair.requestsReceived ?? null,
      responsesSent: pair.responsesSent ?? null,
      bytesSent: pair.bytesSent ?? 0,
      bytesReceived: pair.bytesReceived ?? 0,
    }))
    .sort((one, other) => place(one) - place(other));
}

/** @param {PairCandidate} candidate @returns {string} */
export function placeOf({ address, port }) {
  if (!address) return `port ${port} (address hidden)`;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const ROUTES = {
  host: 'directly',
  srflx: 'directly, through the NAT before this device',
  prflx: 'directly, from an address that only the other side has seen',
  relay: 'through a TURN relay',
};

/** Whether checks were sent on a pair. @param {CandidatePair} pair */
const isTried = ({ requestsSent, state }) => requestsSent > 0 || !/^(frozen|waiting|cancelled)$/.test(state);

/** Whether one of them was answered. @param {CandidatePair} pair */
const isAnswered = ({ responsesReceived, state }) => responsesReceived > 0 || state === 'succeeded';

/**
 * Says in a person's words what the pairs mean: over which one the connection goes, or
 * why it goes over none.
 *
 * @param {CandidatePair[]} pairs
 * @param {string} state The connection's state, as the browser has it.
 * @returns {string} One or more sentences.
 */
export function explainPairs(pairs, state) {
  const selected = pairs.find((pair) => pair.selected);
  if (selected && state === 'connected') {
    const route = ROUTES[selected.local.type] ?? 'directly';
    const isTcp = /^tcp/i.test(selected.local.protocol);
    const over = isTcp ? 'TCP, which was faster than UDP or the only way' : 'UDP';
    return `Data goes ${route} over ${over}.`;
  }
  if (!pairs.length) {
    return state === 'new' || state === 'connecting'
      ? 'There is no pair yet: the addresses of this browser or of the server are not known.'
      : 'There is no pair: this browser or the server has found no address to connect from. ' +
          'Check that this device is in a network.';
  }
  const places = [...new Set(pairs.map(({ remote }) => placeOf(remote)))];
  const to = places.slice(0, 3).join(', ') + (places.length > 3 ? ' …' : '');
  if (!pairs.some(isTried)) return `Nothing was sent yet to ${to}.`;
  if (!pairs.some(isAnswered)) {
    if (pairs.some(({ requestsReceived }) => requestsReceived > 0)) {
      return (
        'Checks of the server arrive here, but its answers do not: something on the way lets ' +
        'packets through in one direction only. Try another network, or a TURN server.'
      );
    }
    return (
      `Checks went to ${to}, and nothing came back. A firewall on the way may drop them, or ` +
      'the server cannot be reached at that address: ask who runs it whether the port is ' +
      'open for UDP.'
    );
  }
  if (state === 'connecting') return 'The server answers. The browser is choosing a pair.';
  return (
    'The server has answered before, and does not now: the network was interrupted, or has ' +
    'changed. A restart of ICE looks for another path.'
  );
}
