/**
 * Watching: a stream's media over a link, for as long as somebody wants it.
 *
 * @module
 */

import { Link } from './link.js';
import { viewerEndpointOf } from './settings.js';

/** Events: `change`, of any property here; and those of its `link`. */
export class Viewer extends EventTarget {
  /** What is watched; empty while nothing is. */
  stream = '';
  /** The rid of the layer that is asked for; empty: the server chooses. */
  layer = '';
  /** What is received; what was last received while there is no connection.
   * @type {MediaStream|null} */
  media = null;
  /** @type {Link} */ link;

  /** @param {() => string} token Asked at every request. */
  constructor(token) {
    super();
    const target = () => ({
      endpoint: viewerEndpointOf(this.stream, this.layer),
      token: token(),
    });
    const addMedia = (pc) => {
      for (const kind of ['video', 'audio']) {
        pc.addTransceiver(kind, { direction: 'recvonly' });
      }
    };
    this.link = new Link(target, { addMedia });
    this.link.addEventListener('open', () => {
      const { pc } = this.link.client;
      this.media = new MediaStream(pc.getReceivers().map(({ track }) => track));
      this.#changed();
    });
  }

  /** Whether somebody wants to watch. */
  get wanted() {
    return this.stream !== '';
  }

  /**
   * Watches a stream instead of what was watched before. Never throws: see
   * `link.problem`.
   *
   * @param {string} stream
   * @param {string} [layer] Its rid.
   */
  watch(stream, layer = '') {
    if (stream !== this.stream) this.media = null;
    this.stream = stream;
    this.layer = layer;
    this.#changed();
    // Not waited for: who watches keeps nobody from watching.
    this.link.disconnect();
    this.link.connect();
  }

  /** Ends the session. */
  async stop() {
    this.stream = '';
    this.layer = '';
    this.media = null;
    this.#changed();
    await this.link.disconnect();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
