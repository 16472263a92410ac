/**
 * SDP fragments, the bodies of trickle-ICE PATCHes and their responses (RFC 8840,
 * section 4.4, with the restrictions of RFC 9725, section 4.3). Pure functions on text.
 *
 * @module
 */

/**
 * The parts of an offer that a fragment repeats, to identify the ICE session and the
 * m-section of its candidates.
 *
 * @typedef {object} OfferIce
 * @property {string|null} bundle The value of `a=group:BUNDLE`, such as "0 1".
 * @property {string} media The offerer-tagged m-line, without "m=", port 9.
 * @property {string} mid
 * @property {string} ufrag
 * @property {string} pwd
 * @property {string[]} agent The attributes of the ICE agent: `a=ice-lite`,
 *   `a=ice-options`, `a=ice-pacing`.
 * @property {string[]} candidates The candidates in the offer.
 * @property {boolean} complete Whether the offer has `a=end-of-candidates`.
 */

/**
 * The ICE session of the other side, from the response to a restart.
 *
 * @typedef {object} FragmentIce
 * @property {string} ufrag
 * @property {string} pwd
 * @property {string[]} candidates Whole lines, "a=candidate:…".
 * @property {boolean} complete Whether it has `a=end-of-candidates`.
 */

const AGENT = /^a=ice-(lite|options|pacing)\b/;
/** RFC 8839, section 5.4. After invalid ones a browser accepts no more descriptions. */
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/;
const PWD = /^[A-Za-z0-9+/]{22,256}$/;
/** The lines of a description that an ICE restart replaces. */
const ICE_SESSION = /^a=(ice-ufrag:|ice-pwd:|candidate:|end-of-candidates\b)/;

/** @param {string} sdp @returns {string[][]} The lines of the session level and of each m-section. */
function sectionsOf(sdp) {
  const lines = sdp.split(/\r?\n/).filter((line) => line);
  const sections = [[]];
  for (const line of lines) {
    if (line.startsWith('m=')) sections.push([]);
    sections.at(-1).push(line);
  }
  return sections;
}

const attribute = (lines, name) =>
  lines.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3);

/**
 * The BUNDLE group and its tagged m-section: with the max-bundle policy no other section
 * has candidates.
 */
function tagged([session, ...sections]) {
  const group = session.find((line) => /^a=group:BUNDLE\b/.test(line));
  const bundle = group?.replace(/^a=group:BUNDLE\s*/, '') || null;
  const tag = bundle?.split(' ')[0];
  const section = sections.find((lines) => attribute(lines, 'mid') === tag) ?? sections[0];
  return { bundle, section };
}

/**
 * Reads the ICE parameters of an offer.
 *
 * @param {string} sdp
 * @returns {OfferIce}
 * @throws {Error} If the offer has no m-section or no ICE credentials.
 */
export function readOfferIce(sdp) {
  const parts = sectionsOf(sdp);
  const [session] = parts;
  const { bundle, section } = tagged(parts);
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
    agent: [...new Set([...session, ...section].filter((line) => AGENT.test(line)))],
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
 * @param {boolean} complete Whether these are the last ones.
 * @returns {string} The body, with CRLF at the end of each line.
 */
export function buildFragment(ice, candidates, complete) {
  // Section 4.3.3: the agent's attributes are always those of the offer.
  const lines = [...ice.agent];
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

/**
 * Parses the fragment in the response to an ICE restart.
 *
 * @param {string} text
 * @returns {FragmentIce|null} Null if the ICE credentials are missing or malformed.
 */
export function readFragment(text) {
  const lines = sectionsOf(text).flat();
  const ufrag = attribute(lines, 'ice-ufrag') ?? '';
  const pwd = attribute(lines, 'ice-pwd') ?? '';
  if (!UFRAG.test(ufrag) || !PWD.test(pwd)) return null;
  return {
    ufrag,
    pwd,
    candidates: lines.filter((line) => line.startsWith('a=candidate:')),
    complete: lines.includes('a=end-of-candidates'),
  };
}

/**
 * Replaces the ICE session in a description, including all candidates (RFC 9725,
 * section 4.3.3). Everything else is kept.
 *
 * @param {string} sdp An answer.
 * @param {FragmentIce} ice
 * @returns {string}
 */
export function replaceIce(sdp, ice) {
  const parts = sectionsOf(sdp);
  const { section } = tagged(parts);
  const credentials = [`a=ice-ufrag:${ice.ufrag}`, `a=ice-pwd:${ice.pwd}`];
  const candidates = [...ice.candidates, ...(ice.complete ? ['a=end-of-candidates'] : [])];
  return parts
    .map((lines, i) => {
      const kept = lines.filter((line) => !ICE_SESSION.test(line));
      const isRejected = /^m=\S+ 0 /.test(lines[0]);
      if (i > 0 && !isRejected) kept.push(...credentials);
      if (lines === section) kept.push(...candidates);
      return `${kept.join('\r\n')}\r\n`;
    })
    .join('');
}
