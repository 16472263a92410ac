/**
 * Players that others have made, each used as its own documentation says.
 *
 * esbuild makes one module of this file and their packages: see `players.py`.
 */

import { WebRTCPlayer } from '@eyevinn/webrtc-player';
import { WHEPClient } from 'whip-whep/whep.js';

/**
 * @typedef {object} Player
 * @property {() => Promise<void>} stop Ends the session by DELETE.
 * @property {() => void} close Closes the connection, without a word to the endpoint.
 * @property {(layer: object) => Promise<void>} [choose] Asks for a layer.
 */

/**
 * Each begins to play, and gives the player.
 * @type {Record<string, (
 *     video: HTMLVideoElement, endpoint: string, token: string) => Promise<Player>>}
 */
export const players = {
    async 'whip-whep'(video, endpoint, token) {
        const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
        pc.addTransceiver('audio');
        pc.addTransceiver('video');
        pc.ontrack = ({ track, streams: [stream] }) => {
            if (track.kind === 'video') video.srcObject = stream;
        };
        const client = new WHEPClient();
        await client.view(pc, endpoint, token);
        return {
            stop: () => client.stop(),
            close: () => pc.close(),
            choose: (layer) => client.selectLayer(layer),
        };
    },

    // As live777's own page does it.
    async live777(video, endpoint, token) {
        const pc = new RTCPeerConnection();
        pc.createDataChannel('');
        pc.ondatachannel = ({ channel }) => {
            channel.onmessage = ({ data }) => heard.push([channel.label, data]);
        };
        pc.addTransceiver('video', { direction: 'recvonly' });
        pc.addTransceiver('audio', { direction: 'recvonly' });
        const stream = new MediaStream();
        pc.ontrack = ({ track }) => {
            stream.addTrack(track);
            video.srcObject = stream;
        };
        const client = new WHEPClient();
        await client.view(pc, endpoint, token);
        return { stop: () => client.stop(), close: () => pc.close() };
    },

    async '@eyevinn/webrtc-player'(video, endpoint, token) {
        const player = new WebRTCPlayer({ video, type: 'whep', iceServers: [] });
        await player.load(new URL(endpoint), `Bearer ${token}`);
        return { stop: () => player.unload(), close: () => player.destroy() };
    },
};

/** The last picture that was shown, and how many there were. */
export const shown = { pictures: 0, width: 0, height: 0 };

/** The messages of the server's data channels, each with its channel's label. */
export const heard = [];

/**
 * Count what a video shows.
 * @param {HTMLVideoElement} video
 */
export function watch(video) {
    video.requestVideoFrameCallback((_, { width, height }) => {
        shown.pictures += 1;
        Object.assign(shown, { width, height });
        watch(video);
    });
}
