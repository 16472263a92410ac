/**
 * Stereo sound in an SDP offer.
 *
 * @module
 */

/**
 * Offers to receive Opus in stereo (RFC 7587, section 6.1). Browsers do not do so by
 * themselves, and then play one channel of two.
 *
 * @param {string} sdp An offer.
 * @returns {string} The offer with `stereo=1` for every payload type of Opus.
 */
export function offerStereo(sdp) {
  const types = [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000/gim)].map(([, type]) => type);
  return types.reduce(addStereo, sdp);
}

/** @param {string} sdp @param {string} type */
function addStereo(sdp, type) {
  const parameters = new RegExp(`^a=fmtp:${type} (.*?)(\r?)$`, 'm');
  const found = parameters.exec(sdp)?.[1];
  if (found === undefined) {
    const mapping = new RegExp(`^(a=rtpmap:${type} .*?)(\r?\n)`, 'm');
    return sdp.replace(mapping, `$1$2a=fmtp:${type} stereo=1$2`);
  }
  if (/(^|;)\s*stereo=1\s*(;|$)/.test(found)) return sdp;
  const others = found.split(';').filter((item) => !/^\s*stereo=/.test(item));
  return sdp.replace(parameters, `a=fmtp:${type} ${[...others, 'stereo=1'].join(';')}$2`);
}
