/**
 * What browsers leave out of their offers of Opus, although they support it.
 *
 * @module
 */

/**
 * Offers sound to be published: lost packets may be requested (NACK, RFC 4585 section
 * 6.2.1).
 *
 * @param {string} sdp An offer.
 * @returns {string}
 */
export function offerSentSound(sdp) {
  return opusTypes(sdp).reduce(addNack, sdp);
}

/**
 * Offers to receive sound: lost packets will be requested, and both channels of stereo
 * are played (RFC 7587 section 6.1). Without it, one of two is.
 *
 * @param {string} sdp An offer.
 * @returns {string}
 */
export function offerReceivedSound(sdp) {
  return opusTypes(sdp).reduce(addStereo, offerSentSound(sdp));
}

/** @param {string} sdp @returns {string[]} The payload types of Opus. */
function opusTypes(sdp) {
  return [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000/gim)].map(([, type]) => type);
}

/** @param {string} sdp @param {string} type */
function addNack(sdp, type) {
  if (new RegExp(`^a=rtcp-fb:(${type}|\\*) nack\r?$`, 'm').test(sdp)) return sdp;
  return addLine(sdp, type, `a=rtcp-fb:${type} nack`);
}

/** @param {string} sdp @param {string} type */
function addStereo(sdp, type) {
  const parameters = new RegExp(`^a=fmtp:${type} (.*?)(\r?)$`, 'm');
  const found = parameters.exec(sdp)?.[1];
  if (found === undefined) return addLine(sdp, type, `a=fmtp:${type} stereo=1`);
  if (/(^|;)\s*stereo=1\s*(;|$)/.test(found)) return sdp;
  const others = found.split(';').filter((item) => !/^\s*stereo=/.test(item));
  return sdp.replace(parameters, `a=fmtp:${type} ${[...others, 'stereo=1'].join(';')}$2`);
}

/** Adds a line about a payload type after its `rtpmap`. */
function addLine(sdp, type, line) {
  const mapping = new RegExp(`^(a=rtpmap:${type} .*?)(\r?\n)`, 'm');
  return sdp.replace(mapping, `$1$2${line}$2`);
}
