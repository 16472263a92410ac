/**
 * The offered picture: what browsers can do but do not offer by themselves.
 *
 * @module
 */

/** Formats that carry other formats: feedback is never about them. */
const CARRIERS = /^(rtx|red|ulpfec|flexfec-03)$/i;

/**
 * Offers receiver reference time reports (RFC 3611, section 4.4) for every video codec,
 * with the feedback `rrtr` of libwebrtc. A browser that only receives learns the round
 * trip from the answers to them; without it, it waits 100 ms before it asks for a lost
 * packet again. Browsers that do not know `rrtr` ignore it.
 *
 * @param {string} sdp An offer.
 * @returns {string} The same if the browser offers the reports itself
 *   (`a=rtcp-xr:rcvr-rtt=all`, section 5.1).
 */
export function offerReferenceTime(sdp) {
  if (/^a=rtcp-xr:.*\brcvr-rtt=/m.test(sdp)) return sdp;
  const sections = sdp.split(/^(?=m=)/m);
  return sections.map((each) => (each.startsWith('m=video ') ? addTo(each) : each)).join('');
}

/** @param {string} section A media section. @returns {string} */
function addTo(section) {
  const mapping = /^a=rtpmap:(\d+) ([^/\r\n]+)[^\r\n]*(\r?\n)/gm;
  return section.replace(mapping, (line, type, codec, end) =>
    CARRIERS.test(codec) ? line : `${line}a=rtcp-fb:${type} rrtr${end}`,
  );
}
