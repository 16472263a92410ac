/**
 * Watches a stream over a link.
 *
 * @module
 */

import { Link } from '../link/link.js';
import { offerReferenceTime } from './picture-offer.js';
import { viewerEndpointOf } from '../ui/settings.js';
import { offerReceivedSound } from './sound-offer.js';

/** Events: `change`, when a property has changed; and those of its `link`. */
export class Viewer extends EventTarget {
  /** The watched stream; empty if there is none. */
  stream = '';
  /** The rid of the selected layer; empty: the server chooses. */
  layer = '';
  /** The received media; until the first packet, that of the last session.
   * @type {MediaStream|null} */
  media = null;
  /** @type {Link} */ link;

  /**
   * @param {() => string} token Called at every request.
   * @param {import('./chat.js').Chat|null} [chat] Joined with each session; null: none.
   */
  constructor(token, chat = null) {
    super();
    const target = () => ({
      endpoint: viewerEndpointOf(this.stream, this.layer),
      token: token(),
    });
    const addMedia = (pc) => {
      for (const kind of ['video', 'audio']) {
        pc.addTransceiver(kind, { direction: 'recvonly' });
      }
      chat?.open(pc);
    };
    const adaptOffer = (sdp) => offerReferenceTime(offerReceivedSound(sdp));
    this.link = new Link(target, { addMedia, adaptOffer });
    this.link.addEventListener('open', () => this.#receive(this.link.client.pc));
  }

  /** Whether the user wants to watch. */
  get wanted() {
    return this.stream !== '';
  }

  /**
   * Watches a stream instead of the last one. Never throws: see `link.problem`.
   *
   * @param {string} stream
   * @param {string} [layer] The rid of a layer.
   */
  watch(stream, layer = '') {
    if (stream !== this.stream) this.media = null;
    this.stream = stream;
    this.layer = layer;
    this.#changed();
    // Not awaited: the old session does not prevent a new one.
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
   * Adds each track when its first packet is received: browsers do not play media with a
   * track that has no data.
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
