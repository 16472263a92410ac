/**
 * The beginning of a session.
 *
 * @module
 */

import { WhipClient } from './whip-client.js';

/**
 * The use of a session: a data channel, or media.
 *
 * @typedef {object} SessionUse
 * @property {string} [channel] The label of the data channel.
 * @property {(pc: RTCPeerConnection) => void} [addMedia] Adds tracks or transceivers to
 *   a connection.
 * @property {(sdp: string) => string} [adaptOffer] Changes the browser's offers.
 */

/**
 * @typedef {object} Attempt
 * @property {WhipClient} client
 * @property {RTCDataChannel|null} channel
 * @property {() => Promise<void>} connected Connects, at the first call; see
 *   `WhipClient.connect`.
 */

/**
 * @param {{endpoint: string|URL, token: string}} target
 * @param {SessionUse} use
 * @returns {Attempt}
 * @throws {import('./whip-error.js').WhipError} Of kind `unsupported`.
 */
export function prepareAttempt({ endpoint, token }, use) {
  const client = new WhipClient(endpoint, { token, adaptOffer: use.adaptOffer });
  use.addMedia?.(client.pc);
  let channel = null;
  if (use.channel !== undefined) {
    channel = client.pc.createDataChannel(use.channel);
    channel.addEventListener('open', () => client.mark('channelopen'));
  }
  let connecting;
  return { client, channel, connected: () => (connecting ??= client.connect()) };
}
