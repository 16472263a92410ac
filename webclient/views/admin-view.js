/**
 * The Admin view: the open sessions, the server's load, and the limits that were hit.
 *
 * @module
 */

import { $, announce, make, write } from '../ui/dom.js';
import { FindField } from '../ui/find-field.js';
import { KeyedList } from '../ui/keyed-list.js';
import { Poll } from '../ui/poll.js';
import { explain, wantsToken } from '../link/problems.js';
import { formatDuration, formatRtt, formatShare } from '../media/media-words.js';
import {
  endSession,
  fetchMetrics,
  fetchSessions,
  fetchStatus,
  samplesOf,
} from '../resources/operator-api.js';

/** @typedef {import('./link-view.js').LinkView} LinkView */
/** @typedef {import('../ui/settings.js').Settings} Settings */
/** @typedef {import('../resources/operator-api.js').OpenSession} OpenSession */

/** Milliseconds between updates. */
const PERIOD = 3000;
/** ... and from the last key to the question for what was entered. */
const TYPING = 250;

/** What a cell has before its figure where the table has no head. */
const LABELS = { 3: 'open for', 5: 'set up in', 6: 'round trip' };

/** A row of the table. */
class SessionRow {
  /** @type {HTMLTableRowElement} */ element = make('tr');
  #cells = Array.from({ length: 7 }, (_, i) => make(i ? 'td' : 'th'));
  #end = make('button', { type: 'button', className: 'quiet small' }, 'End');

  /** @param {string} id @param {(id: string) => void} onEnd */
  constructor(id, onEnd) {
    this.#cells[0].scope = 'row';
    // On phones there is no head above them.
    for (const [place, words] of Object.entries(LABELS)) this.#cells[place].dataset.label = words;
    this.#end.setAttribute('aria-label', `End session ${id}`);
    this.#end.addEventListener('click', () => onEnd(id));
    this.element.append(...this.#cells, make('td', {}, this.#end));
  }

  /** @param {OpenSession} session */
  show(session) {
    const setup = Object.values(session.setup).reduce((sum, each) => sum + (each ?? 0), 0);
    const way = session.candidate_type ? ` (${session.candidate_type})` : '';
    const texts = [
      session.id,
      `${session.kind} ${session.stream}${session.chat_name ? `, writes as “${session.chat_name}”` : ''}`,
      session.state,
      formatDuration(session.age),
      session.address ? `${session.address}${way}` : session.client,
      formatRtt(setup || null),
      `${formatRtt(session.round_trip)}, ${formatShare(session.loss)} lost`,
    ];
    texts.forEach((text, i) => {
      if (this.#cells[i].textContent !== text) this.#cells[i].textContent = text;
    });
  }
}

/** What the limits refuse, by their names in the metrics. */
const REFUSED = {
  rate_post: 'new sessions',
  rate_patch: 'changes of sessions',
  rate_delete: 'ends of sessions',
  rate_other: 'questions about streams',
  rate_requests: 'requests',
  sessions: 'sessions in all',
  client_sessions: 'sessions of a client',
  client_connecting: 'sessions that were not connected yet',
  made_room: 'sessions that made room for others',
  connections: 'connections',
  retransmissions: 'repeated packets',
  gop: 'pictures kept for new viewers',
};

/** @param {string} metrics @returns {string} */
function describeLimits(metrics) {
  const hit = [...samplesOf(metrics, 'whipbird_limits_hit_total')].filter(([, n]) => n > 0);
  if (!hit.length) return 'No limit was hit.';
  const each = hit.map(([name, n]) => {
    const words = Object.hasOwn(REFUSED, name) ? `${REFUSED[name]}, ` : '';
    return `${words}${name} (${n})`;
  });
  return `Limits hit: ${each.join('; ')}.`;
}

export class AdminView {
  title = 'Whipbird sessions';
  /** @type {Settings} */ #settings;
  /** @type {LinkView} */ #linkView;
  #poll = new Poll(() => this.#update(), PERIOD);
  /** @type {KeyedList<SessionRow>} */
  #rows = new KeyedList($('sessions'), (id) => new SessionRow(id, (each) => this.#end(each)));
  #findField = new FindField('admin-find', () => this.#find());
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #typing;
  /** Seconds of CPU, and when. @type {{cpu: number, at: number}|null} */ #before = null;
  /** The number of the last request: a response to an earlier one is ignored. */
  #asked = 0;
  #inFront = false;

  /** @param {Settings} settings @param {LinkView} linkView */
  constructor(settings, linkView) {
    this.#settings = settings;
    this.#linkView = linkView;
  }

  enter() {
    this.#inFront = true;
    $('admin-problem').after($('token-prompt'));
    this.#linkView.show(null, null);
    /** Settles when the first answer is shown, or why there is none. */
    this.ready = this.#poll.start();
  }

  leave() {
    this.#inFront = false;
    $('token-prompt').hidden = true;
    clearTimeout(this.#typing);
    this.#poll.stop();
    this.#before = null;
  }

  /** Tries again with another token. */
  tryNow() {
    // The field that had the focus goes.
    $('admin-heading').focus();
    this.refresh();
  }

  refresh() {
    this.#poll.start();
  }

  /** Asks for what was entered, once the user pauses. */
  #find() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.refresh(), TYPING);
  }

  async #update() {
    if (document.hidden) return;
    this.#asked += 1;
    const asked = this.#asked;
    const { token } = this.#settings;
    // A link sends no token.
    $('admin-metrics').hidden = Boolean(token);
    const { text } = this.#findField;
    try {
      const found = await fetchSessions(token, text);
      const [status, metrics] = await Promise.all([fetchStatus(token), fetchMetrics(token)]);
      if (asked !== this.#asked || !this.#inFront) return;
      write('admin-problem', '');
      $('token-prompt').hidden = true;
      this.#describe(found, text, status.sessions?.open ?? found.total);
      this.#show(found, status, metrics);
    } catch (error) {
      if (asked !== this.#asked || !this.#inFront) return;
      $('token-prompt').hidden = !wantsToken(error);
      const elsewhere = 'This server tells operators more at an address of its own.';
      const { title, text } = explain(error);
      write('admin-problem', error.status === 404 ? elsewhere : `${title}. ${text}`);
      write('admin-note', '');
      write('admin-load', '');
      write('admin-limits', '');
      this.#findField.hide();
      $('admin-table').hidden = true;
      this.#rows.show([]);
    }
  }

  /**
   * Says how many there are, and were found.
   *
   * @param {{total: number, sessions: OpenSession[]}} found
   * @param {string} text What was to be found; empty: all of them.
   * @param {number} open The open sessions in all.
   */
  #describe({ total, sessions }, text, open) {
    const count = open === 1 ? '1 session is open' : `${open || 'No'} sessions are open`;
    const found = text ? `; ${total || 'none'} with “${text}”` : '';
    const shown = sessions.length < total ? `; here are the newest ${sessions.length}` : '';
    write('admin-note', `${count}${found}${shown}.`);
    this.#findField.show(open);
  }

  /**
   * @param {{sessions: OpenSession[]}} found
   * @param {import('../resources/operator-api.js').Status} status
   * @param {string} metrics
   */
  #show({ sessions }, { version, uptime = 0 }, metrics) {
    write(
      'admin-load',
      `Whipbird ${version}, up for ${formatDuration(uptime)}${this.#describeLoad(metrics)}`,
    );
    write('admin-limits', describeLimits(metrics));
    $('admin-table').hidden = !sessions.length;
    const rows = this.#rows.show(sessions.map(({ id }) => id));
    rows.forEach((row, i) => row.show(sessions[i]));
  }

  /** @param {string} metrics @returns {string} */
  #describeLoad(metrics) {
    const cpu = samplesOf(metrics, 'process_cpu_seconds_total').get('');
    const memory = samplesOf(metrics, 'process_resident_memory_bytes').get('');
    const before = this.#before;
    const at = performance.now() / 1000;
    if (cpu === undefined) return '.';
    this.#before = { cpu, at };
    const used = memory === undefined ? '' : `, ${Math.round(memory / 1e6)} MB of memory`;
    if (!before || at <= before.at) return `${used}.`;
    return `, ${formatShare((cpu - before.cpu) / (at - before.at))} of a core${used}.`;
  }

  /** @param {string} id */
  async #end(id) {
    if (!window.confirm(`End session ${id}? Its client will be told.`)) return;
    try {
      await endSession(id, this.#settings.token);
      announce(`Session ${id} has ended.`);
      // The button that had the focus goes.
      $('admin-heading').focus();
    } catch (error) {
      const { title, text } = explain(error);
      write('admin-problem', `${title}. ${text}`);
    }
    this.refresh();
  }
}
