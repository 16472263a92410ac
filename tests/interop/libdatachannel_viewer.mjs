/**
 * Watches over WHEP with libdatachannel: an offer with all candidates, no trickling, a
 * Bearer token, and DELETE at the end.
 *
 * `node libdatachannel_viewer.mjs JOB.json` writes events as lines of JSON, and ends its
 * session when its input ends.
 */

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Job
 * @property {string} library Where node-datachannel is.
 * @property {string} url The WHEP endpoint.
 * @property {string} token
 * @property {'VP8' | 'H264'} codec
 */

/** Milliseconds. */
const REQUEST_TIMEOUT = 8000;
const CONNECT_TIMEOUT = 8000;
const REPORT_INTERVAL = 100;

/** What waits for nobody ends by itself, after so many milliseconds. */
const LIFETIME = 60_000;

const AUDIO = 111;
const VIDEO = 96;

/** @type {Job} */
const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const rtc = createRequire(`${job.library}/`)('node-datachannel');

/**
 * @param {string} event
 * @param {object} [facts]
 */
function tell(event, facts = {}) {
    process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

/**
 * @param {string} method
 * @param {string | URL} url
 * @param {string} [body]
 */
function request(method, url, body) {
    return fetch(url, {
        method,
        body,
        headers: {
            Authorization: `Bearer ${job.token}`,
            ...(body === undefined ? {} : { 'Content-Type': 'application/sdp' }),
        },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    });
}

/**
 * Count what comes on a track.
 * @param {object} media
 * @param {number} payloadType
 */
function receive(media, payloadType) {
    const count = { packets: 0, frames: 0, missing: 0 };
    const track = pc.addTrack(media);
    track.setMediaHandler(new rtc.RtcpReceivingSession());
    /** @type {number | undefined} */
    let last;
    /** @param {Buffer} packet */
    const take = (packet) => {
        if ((packet[1] & 0x7f) !== payloadType) return;
        const sequence = packet.readUInt16BE(2);
        if (last !== undefined) count.missing += (sequence - last - 1) & 0xffff;
        last = sequence;
        count.packets += 1;
        if (packet[1] & 0x80) count.frames += 1;
    };
    track.onMessage(take);
    return { count, track };
}

function audio() {
    const media = new rtc.Audio('0', 'RecvOnly');
    media.addOpusCodec(AUDIO);
    return media;
}

function video() {
    const media = new rtc.Video('1', 'RecvOnly');
    if (job.codec === 'VP8') media.addVP8Codec(VIDEO);
    if (job.codec === 'H264') media.addH264Codec(VIDEO);
    return media;
}

async function watch() {
    const counts = { audio: receive(audio(), AUDIO), video: receive(video(), VIDEO) };
    const gathered = new Promise((resolve) => {
        pc.onGatheringStateChange((state) => { if (state === 'complete') resolve(); });
    });
    const settled = new Promise((resolve) => {
        pc.onStateChange((state) => {
            if (!['new', 'connecting'].includes(state)) resolve(state);
        });
        setTimeout(resolve, CONNECT_TIMEOUT, 'timeout');
    });
    pc.setLocalDescription('offer');
    await gathered;
    const response = await request('POST', job.url, pc.localDescription().sdp);
    const answer = await response.text();
    tell('answer', { status: response.status, answer });
    if (response.status !== 201) return;
    const session = new URL(response.headers.get('location'), response.url);
    let state = 'failed';
    try {
        pc.setRemoteDescription(answer, 'answer');
        state = await settled;
    } catch {
        // Under load the library may end the connection while it reads the answer.
    }
    tell(state);
    if (state === 'connected') {
        const report = () => tell('received', {
            audio: counts.audio.count, video: counts.video.count,
        });
        const timer = setInterval(report, REPORT_INTERVAL);
        await ending;
        clearInterval(timer);
    }
    const { status } = await request('DELETE', session);
    tell('deleted', { status });
}

setTimeout(() => process.exit(1), LIFETIME).unref();
const ending = new Promise((resolve) => { process.stdin.resume().once('end', resolve); });
const pc = new rtc.PeerConnection('viewer', { iceServers: [] });
await watch();
pc.close();
rtc.cleanup();
process.exit(0);
