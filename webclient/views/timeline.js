/**
 * The phases of a connection setup and their times, computed from a client's marks.
 *
 * @module
 */

/**
 * @typedef {object} Phase
 * @property {string} name
 * @property {string} about A short description.
 * @property {boolean} aside Whether it runs in parallel to the others.
 * @property {number|null} start Milliseconds after connect().
 * @property {number|null} duration Milliseconds; null until it ends.
 */

/**
 * The steps: name, the mark that ends it, and a description. Each begins where the one
 * before ends, so that together they cover the whole setup.
 */
const STEPS = [
  ['Offer', 'posted', 'a key pair, then the offer'],
  ['POST', 'answered', 'offer out, answer back'],
  ['ICE', 'iceconnected', 'a UDP path is found'],
  ['DTLS', 'dtlsconnected', 'keys are agreed on'],
];
/** ... and the last step, if there is a data channel. */
const CHANNEL_STEP = ['Channel open', 'channelopen', 'data can flow'];

/** @param {boolean} channel */
const stepsOf = (channel) => (channel ? [...STEPS, CHANNEL_STEP] : STEPS);

/**
 * The moments between the steps, in milliseconds after connect().
 *
 * They are rounded to the shown precision first, so that the shown times add up to the
 * shown total.
 *
 * @param {Map<string, number>} marks
 * @param {boolean} channel
 * @returns {(number|null)[]}
 */
function moments(marks, channel) {
  const zero = marks.get('start');
  const list = ['start', ...stepsOf(channel).map(([, end]) => end)].map((name) =>
    marks.has(name) ? Math.round(10 * (marks.get(name) - zero)) / 10 : null,
  );
  // The browser may report a step after the following one: DTLS, for example, after the
  // channel is open. It cannot have happened later than that.
  for (let i = list.length - 2; i >= 0; i -= 1) {
    if (list[i] !== null) list[i] = Math.min(list[i], list[i + 1] ?? Infinity);
  }
  return list;
}

/**
 * @param {Map<string, number>} marks
 * @param {boolean} [channel] Whether a data channel is opened.
 * @returns {Phase[]} In the order of the setup, then the gathering: candidates are
 *   trickled, so it delays nothing and may end after the setup.
 */
export function phases(marks, channel = true) {
  const at = moments(marks, channel);
  const steps = stepsOf(channel).map(([name, , about], i) => ({
    name,
    about,
    aside: false,
    start: at[i],
    duration: at[i] === null || at[i + 1] === null ? null : at[i + 1] - at[i],
  }));
  const [from, to] = ['gathering', 'gathered'].map((name) =>
    marks.has(name) ? marks.get(name) - marks.get('start') : null,
  );
  const gathering = {
    name: 'Gathering',
    about: 'meanwhile: own addresses',
    aside: true,
    start: from,
    duration: from === null || to === null ? null : to - from,
  };
  return [...steps, gathering];
}

/**
 * @param {Map<string, number>} marks
 * @param {boolean} [channel] Whether a data channel is opened.
 * @returns {number|null} Milliseconds from connect() to the end of the last step.
 */
export function totalTime(marks, channel = true) {
  return moments(marks, channel).at(-1);
}

/** @param {number} ms @returns {string} With the same number of digits for all phases. */
export const formatPhase = (ms) => `${ms.toFixed(1)} ms`;

/**
 * Shows the phases in a table of three columns: name, bar, milliseconds.
 *
 * @param {HTMLTableSectionElement} body
 * @param {Map<string, number>} marks
 * @param {boolean} active Whether a phase that has begun is still running.
 * @param {boolean} [channel] Whether a data channel is opened.
 */
export function renderTimeline(body, marks, active, channel = true) {
  const list = phases(marks, channel);
  const running = (phase) => active && phase.start !== null && phase.duration === null;
  let scale = totalTime(marks, channel);
  if (scale === null) {
    const known = list.map(({ start, duration }) => (start ?? 0) + (duration ?? 0));
    // The remaining time is unknown: it is shown as a third.
    scale = Math.max(...known) * (list.some(running) ? 1.5 : 1);
  }
  scale ||= 1;
  const percent = (ms) => `${Math.min(100, (100 * ms) / scale)}%`;
  body.replaceChildren(
    ...list.map((phase) => {
      const { start, duration } = phase;
      const row = document.createElement('tr');
      row.className = phase.aside ? 'aside' : 'step';
      const name = document.createElement('th');
      name.scope = 'row';
      name.textContent = phase.name;
      const track = document.createElement('td');
      track.className = 'track';
      const about = document.createElement('span');
      about.className = 'about';
      about.textContent = phase.about;
      track.append(about);
      if (start !== null && (duration !== null || running(phase))) {
        const bar = document.createElement('span');
        bar.className = running(phase) ? 'bar is-running' : 'bar';
        const left = Math.max(0, scale - start);
        bar.style.setProperty('--start', percent(start));
        bar.style.setProperty('--length', percent(Math.min(duration ?? left, left)));
        track.append(bar);
      }
      const time = document.createElement('td');
      time.className = 'time';
      time.textContent = duration !== null ? formatPhase(duration) : running(phase) ? '…' : '–';
      row.append(name, track, time);
      return row;
    }),
  );
}
