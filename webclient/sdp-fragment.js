/**
 * The body of a trickle-ICE PATCH: an SDP fragment (RFC 8840, section 4.4, with
 * the restrictions of RFC 9725, section 4.3.1). Pure functions on text.
 *
 * @module
 */

/**
 * What a fragment repeats of its offer, so that the server knows which ICE
 * session, and which m-section of it, the candidates belong to.
 *
 * @typedef {object} OfferIce
 * @property {string|null} bundle The value of `a=group:BUNDLE`, such as "0 1".
 * @property {string} media The offerer-tagged m-line, without "m=", port 9.
 * @property {string} mid
 * @property {string} ufrag
 * @property {string} pwd
 * @property {string[]} candidates Candidates that the offer itself carried.
 * @property {boolean} complete Whether the offer said `a=end-of-candidates`.
 */

/**
 * Reads the ICE parameters of an offer. Only the offerer-tagged m-section counts:
 * with the max-bundle policy no other one gathers candidates.
 *
 * @param {string} sdp
 * @returns {OfferIce}
 * @throws {Error} When the offer has no m-section or no ICE credentials.
 */
export function readOfferIce(sdp) {
  const [session, ...sections] = sdp.split(/\r?\n(?=m=)/).map((part) => part.split(/\r?\n/));
  const attribute = (lines, name) =>
    lines.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3);

  const group = session.find((line) => /^a=group:BUNDLE\b/.test(line));
  const bundle = group?.replace(/^a=group:BUNDLE\s*/, '') || null;
  const tag = bundle?.split(' ')[0];
  const section = sections.find((lines) => attribute(lines, 'mid') === tag) ?? sections[0];
  if (!section) throw new Error('The offer has no m-section.');

  const ufrag = attribute(section, 'ice-ufrag') ?? attribute(session, 'ice-ufrag');
  const pwd = attribute(section, 'ice-pwd') ?? attribute(session, 'ice-pwd');
  if (!ufrag || !pwd) throw new Error('The offer has no ICE credentials.');

  return {
    bundle,
    media: section[0].slice(2).replace(/^(\S+) \d+/, '$1 9'),
    mid: attribute(section, 'mid') ?? '0',
    ufrag,
    pwd,
    candidates: section
      .filter((line) => line.startsWith('a=candidate:'))
      .map((line) => line.slice(2)),
    complete: section.includes('a=end-of-candidates'),
  };
}

/**
 * Builds a fragment.
 *
 * @param {OfferIce} ice
 * @param {string[]} candidates As in RTCIceCandidate.candidate ("candidate:…").
 * @param {boolean} complete Whether these were the last ones.
 * @returns {string} The body, every line ended by CRLF.
 */
export function buildFragment(ice, candidates, complete) {
  const lines = [];
  if (ice.bundle) lines.push(`a=group:BUNDLE ${ice.bundle}`);
  lines.push(
    `m=${ice.media}`,
    `a=mid:${ice.mid}`,
    `a=ice-ufrag:${ice.ufrag}`,
    `a=ice-pwd:${ice.pwd}`,
    ...candidates.map((candidate) => `a=${candidate.replace(/^a=/, '')}`),
  );
  if (complete) lines.push('a=end-of-candidates');
  return `${lines.join('\r\n')}\r\n`;
}
