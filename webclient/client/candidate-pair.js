/**
 * The selected candidate pair, from the browser's statistics.
 *
 * @module
 */

/**
 * @typedef {object} PairEnd
 * @property {string} type host, srflx, prflx or relay.
 * @property {string} protocol udp or tcp.
 * @property {string} address Empty when the browser hides it.
 * @property {number} port
 * @property {string|undefined} ufrag The ufrag of its ICE session; not in all browsers.
 */

/**
 * @typedef {object} SelectedPair
 * @property {string} id Its id in the statistics.
 * @property {PairEnd} local
 * @property {PairEnd} remote
 * @property {number|undefined} rtt Round-trip time of the last check, in milliseconds.
 * @property {number} bytesSent
 * @property {number} bytesReceived
 */

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<SelectedPair|null>} Null while no pair is selected.
 */
export async function selectedPair(pc) {
  return pairIn(await pc.getStats());
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<Set<string>>} The ids of all its candidate pairs, selected or not.
 */
export async function pairIds(pc) {
  const stats = [...(await pc.getStats()).values()];
  return new Set(stats.filter((s) => s.type === 'candidate-pair').map((s) => s.id));
}

/**
 * @param {RTCStatsReport} report The statistics of a connection.
 * @returns {SelectedPair|null} Null while no pair is selected.
 */
export function pairIn(report) {
  const stats = [...report.values()];
  const transport = stats.find((s) => s.type === 'transport' && s.selectedCandidatePairId);
  // Firefox marks the pair itself instead.
  const pair = transport
    ? report.get(transport.selectedCandidatePairId)
    : stats.find((s) => s.type === 'candidate-pair' && s.selected);
  if (!pair) return null;
  const end = (id) => {
    const candidate = report.get(id) ?? {};
    return {
      type: candidate.candidateType ?? '',
      protocol: candidate.protocol ?? '',
      address: candidate.address ?? candidate.ip ?? '',
      port: candidate.port ?? 0,
      ufrag: candidate.usernameFragment,
    };
  };
  const seconds = pair.currentRoundTripTime;
  return {
    id: pair.id,
    local: end(pair.localCandidateId),
    remote: end(pair.remoteCandidateId),
    rtt: seconds === undefined ? undefined : seconds * 1000,
    bytesSent: pair.bytesSent ?? 0,
    bytesReceived: pair.bytesReceived ?? 0,
  };
}

const TYPES = {
  host: 'a direct address',
  srflx: 'seen through NAT by a STUN server',
  prflx: 'seen by the other side',
  relay: 'through a TURN relay',
};

/**
 * Describes the pair in a few lines of text.
 *
 * @param {SelectedPair} pair
 * @returns {string}
 */
export function describePair({ local, remote, rtt }) {
  const line = (name, end) => {
    const host = end.address.includes(':') ? `[${end.address}]` : end.address;
    const place = host ? `${host}:${end.port}` : `port ${end.port} (address hidden)`;
    const type = TYPES[end.type] ? `${end.type}, ${TYPES[end.type]}` : end.type;
    return `${name} ${end.protocol} ${place}\n        ${type}`;
  };
  const lines = [line('local  ', local), line('remote ', remote)];
  if (rtt !== undefined) lines.push(`ICE check round trip: ${rtt.toFixed(1)} ms`);
  return lines.join('\n');
}
