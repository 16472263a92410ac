/** A WHIP server on libdatachannel (C++, by node-datachannel) that echoes messages. */

import { createRequire } from 'node:module';

import { options, serve } from './http.mjs';

const rtc = createRequire(`${options().library}/`)('node-datachannel');

serve({
    whip: async (stream, offer) => {
        const peer = new rtc.PeerConnection(stream, {
            iceServers: [],
            disableAutoNegotiation: true,
        });
        /** Channels that nobody else holds. */
        const channels = [];
        peer.onDataChannel((channel) => {
            channels.push(channel);
            channel.onMessage((message) => {
                if (typeof message === 'string') channel.sendMessage(message);
                else channel.sendMessageBinary(message);
            });
        });
        const gathered = new Promise((resolve) => {
            peer.onGatheringStateChange((state) => state === 'complete' && resolve());
        });
        peer.setRemoteDescription(offer, 'offer');
        peer.setLocalDescription('answer');
        await gathered;
        return { answer: peer.localDescription().sdp, close: () => peer.close() };
    },
});
