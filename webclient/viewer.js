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
  /** What is received; before anything comes, what was received last.
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
    this.link.addEventListener('open', () => this.#receive(this.link.client.pc));
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

  /**
   * Takes each track when it begins: browsers play nothing of media with a track of
   * which nothing comes.
   *
   * @param {RTCPeerConnection} pc
   */
  #receive(pc) {
    const media = new MediaStream();
    for (const { track } of pc.getReceivers()) {
      const add = () => {
        media.addTrack(track);
        if (this.link.client?.pc !== pc || !this.link.established) return;
        this.media = media;
        this.#changed();
      };
      if (track.muted) track.addEventListener('unmute', add, { once: true });
      else add();
    }
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
