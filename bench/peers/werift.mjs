/** A WHIP and WHEP server on werift (TypeScript) that echoes messages and forwards media. */

import { createRequire } from 'node:module';

import { options, serve } from './http.mjs';

const { MediaStreamTrack, RTCPeerConnection } = createRequire(`${options().library}/`)('werift');

/** The tracks of each stream, as they came. @type {Map<string, object[]>} */
const streams = new Map();

/**
 * @param {object} peer
 * @param {string} offer
 */
async function answer(peer, offer) {
    await peer.setRemoteDescription({ type: 'offer', sdp: offer });
    await peer.setLocalDescription(await peer.createAnswer());
    return { answer: peer.localDescription.sdp, close: () => peer.close() };
}

function newPeer() {
    return new RTCPeerConnection({ iceServers: [], iceUseIpv6: false });
}

serve({
    whip: async (stream, offer) => {
        const peer = newPeer();
        const tracks = [];
        streams.set(stream, tracks);
        peer.onDataChannel.subscribe((channel) => {
            channel.onMessage.subscribe((message) => channel.send(message));
        });
        peer.onTrack.subscribe((track) => tracks.push(track));
        return answer(peer, offer);
    },
    whep: async (stream, offer) => {
        const tracks = streams.get(stream);
        if (!tracks?.length) return null;
        const peer = newPeer();
        for (const track of tracks) {
            const copy = new MediaStreamTrack({ kind: track.kind });
            track.onReceiveRtp.subscribe((packet) => copy.writeRtp(packet.clone()));
            peer.addTransceiver(copy, { direction: 'sendonly' });
        }
        return answer(peer, offer);
    },
});
