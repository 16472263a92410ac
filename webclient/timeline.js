/**
 * Where the time of a setup went: phases computed from a client's marks.
 *
 * @module
 */

/**
 * @typedef {object} Phase
 * @property {string} name
 * @property {string} about What happens in it, in a few words.
 * @property {number|null} start Milliseconds after connect().
 * @property {number|null} duration Milliseconds; null while it is not over.
 */

/** Name, the marks it lies between, and what it is. */
const PHASES = [
  ['Gathering', 'start', 'gathered', 'the browser finds its addresses'],
  ['POST', 'posted', 'answered', 'offer out, answer back'],
  ['ICE', 'applied', 'iceconnected', 'a UDP path is found'],
  ['DTLS', 'iceconnected', 'dtlsconnected', 'keys are agreed on'],
  ['Channel', 'dtlsconnected', 'channelopen', 'the data channel opens'],
];

/**
 * @param {Map<string, number>} marks
 * @returns {Phase[]} In the order of the setup. Gathering overlaps what follows it:
 *   candidates are trickled.
 */
export function phases(marks) {
  const zero = marks.get('start');
  return PHASES.map(([name, from, to, about]) => {
    const start = marks.get(from);
    const end = marks.get(to);
    return {
      name,
      about,
      start: start === undefined ? null : start - zero,
      // Events of one task may be delivered out of their real order.
      duration: start === undefined || end === undefined ? null : Math.max(0, end - start),
    };
  });
}

/**
 * @param {Map<string, number>} marks
 * @returns {number|null} Milliseconds from connect() to the open channel.
 */
export function totalTime(marks) {
  const end = marks.get('channelopen');
  return end === undefined ? null : end - marks.get('start');
}

/**
 * Shows the phases in a table of three columns: name, bar, milliseconds.
 *
 * @param {HTMLTableSectionElement} body
 * @param {Map<string, number>} marks
 */
export function renderTimeline(body, marks) {
  const list = phases(marks);
  const end = Math.max(1, ...list.map((phase) => (phase.start ?? 0) + (phase.duration ?? 0)));
  body.replaceChildren(
    ...list.map((phase) => {
      const row = document.createElement('tr');
      const name = document.createElement('th');
      name.scope = 'row';
      name.textContent = phase.name;
      name.title = phase.about;
      const track = document.createElement('td');
      track.className = 'track';
      const about = document.createElement('span');
      about.className = 'about';
      about.textContent = phase.about;
      track.append(about);
      if (phase.start !== null && phase.duration !== null) {
        const bar = document.createElement('span');
        bar.className = 'bar';
        bar.style.setProperty('--start', `${(100 * phase.start) / end}%`);
        bar.style.setProperty('--length', `${(100 * phase.duration) / end}%`);
        track.append(bar);
      }
      const time = document.createElement('td');
      time.className = 'time';
      time.textContent = phase.duration === null ? '–' : `${phase.duration.toFixed(1)} ms`;
      row.append(name, track, time);
      return row;
    }),
  );
}
