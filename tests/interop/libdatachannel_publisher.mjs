/**
 * Publishes over WHIP with libdatachannel, as OBS does: an offer without candidates, no
 * trickling, a Bearer token, and DELETE at the end.
 *
 * `node libdatachannel_publisher.mjs JOB.json` writes events as lines of JSON, and ends
 * its session when its input ends.
 *
 * OBS gathers its candidates after the answer. This binding cannot put that off, but
 * tells nobody of them, which is the same to a server.
 */

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Job
 * @property {string} library Where node-datachannel is.
 * @property {string} url The WHIP endpoint.
 * @property {string} token The stream key.
 * @property {'H264' | 'H265' | 'AV1'} codec
 * @property {string[]} rids Of the layers; none without simulcast.
 * @property {string} video Names a file: see `readMedia`. With simulcast it has whole RTP
 *     packets, otherwise frames.
 * @property {string} audio Names a file of Opus packets.
 */

/** Milliseconds: OBS waits as long for an answer. */
const POST_TIMEOUT = 8000;
const CONNECT_TIMEOUT = 8000;
const DELETE_TIMEOUT = 8000;

/** What waits for nobody ends by itself, after so many milliseconds. */
const LIFETIME = 60_000;

const AUDIO = { payloadType: 111, ssrc: 0x0b5a, clockRate: 48_000 };
const VIDEO = { payloadType: 96, ssrc: 0x0b5f, clockRate: 90_000 };
const CNAME = 'libdatachannel';
const STREAM = 'stream';
const PACKET_SIZE = 1200;

/** OBS writes these once for all sections. */
const SESSION_LEVEL = /^a=(?:setup|ice-ufrag|ice-pwd):/;

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
 * Read a media file: of each entry the milliseconds at which it is due and its octets,
 * 32 bits each, and these octets.
 * @param {string} name
 * @returns {{ due: number, data: Buffer }[]}
 */
function readMedia(name) {
    const file = readFileSync(name);
    const entries = [];
    for (let at = 0; at < file.length;) {
        const end = at + 8 + file.readUInt32BE(at + 4);
        entries.push({ due: file.readUInt32BE(at), data: file.subarray(at + 8, end) });
        at = end;
    }
    return entries;
}

/** @param {string} offer */
function asObsWritesIt(offer) {
    const lines = offer.split('\r\n');
    const shared = [...new Set(lines.filter((line) => SESSION_LEVEL.test(line)))];
    const rest = lines.filter((line) => !SESSION_LEVEL.test(line));
    rest.splice(rest.findIndex((line) => line.startsWith('m=')), 0, ...shared);
    return rest.join('\r\n');
}

/**
 * OBS publishes nothing when a layer of it is refused.
 * @param {string} answer
 */
function refusedLayers(answer) {
    const accepted = /^a=simulcast:recv (\S+)/m.exec(answer)?.[1].split(';') ?? [];
    return job.rids.filter((rid) => !accepted.includes(rid));
}

/**
 * @param {string} method
 * @param {string | URL} url
 * @param {number} timeout In milliseconds.
 * @param {string} [body]
 */
function request(method, url, timeout, body) {
    return fetch(url, {
        method,
        body,
        headers: {
            Authorization: `Bearer ${job.token}`,
            ...(body === undefined ? {} : { 'Content-Type': 'application/sdp' }),
        },
        signal: AbortSignal.timeout(timeout),
    });
}

function addAudio() {
    const audio = new rtc.Audio('0', 'SendOnly');
    audio.addOpusCodec(AUDIO.payloadType);
    audio.addSSRC(AUDIO.ssrc, CNAME, STREAM, `${STREAM}-audio`);
    return pc.addTrack(audio);
}

function addVideo() {
    const video = new rtc.Video('1', 'SendOnly');
    if (job.codec === 'H264') video.addH264Codec(VIDEO.payloadType);
    if (job.codec === 'H265') video.addH265Codec(VIDEO.payloadType);
    if (job.codec === 'AV1') video.addAV1Codec(VIDEO.payloadType);
    if (job.rids.length === 0) {
        video.addSSRC(VIDEO.ssrc, CNAME, STREAM, `${STREAM}-video`);
        return pc.addTrack(video);
    }
    video.parseSdpLine('a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid');
    video.parseSdpLine('a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id');
    for (const rid of job.rids) video.parseSdpLine(`a=rid:${rid} send`);
    video.parseSdpLine(`a=simulcast:send ${job.rids.join(';')}`);
    video.parseSdpLine(`a=msid:${STREAM} ${STREAM}-video`);
    return pc.addTrack(video);
}

/** @param {{ payloadType: number, ssrc: number, clockRate: number }} source */
function packetization({ ssrc, payloadType, clockRate }) {
    return new rtc.RtpPacketizationConfig(ssrc, CNAME, payloadType, clockRate);
}

function videoPacketizer() {
    const config = packetization(VIDEO);
    const packetizer = {
        H264: () => new rtc.H264RtpPacketizer('StartSequence', config, PACKET_SIZE),
        H265: () => new rtc.H265RtpPacketizer('StartSequence', config, PACKET_SIZE),
        AV1: () => new rtc.AV1RtpPacketizer('TemporalUnit', config, PACKET_SIZE),
    }[job.codec]();
    return { config, packetizer };
}

/** @param {object} track */
function opened(track) {
    return new Promise((resolve) => { track.onOpen(resolve); });
}

/**
 * Send everything when it is due, until the end.
 * @param {{ due: number, data: Buffer }[]} entries
 * @param {(due: number, data: Buffer) => void} send
 */
async function play(entries, send) {
    const start = performance.now();
    for (const { due, data } of entries) {
        const wait = start + due - performance.now();
        if (wait > 0) await new Promise((resolve) => { setTimeout(resolve, wait); });
        if (isEnding) return;
        send(due, data);
    }
}

/**
 * @param {object} track
 * @param {object} packetizer
 * @param {object} config
 */
function frameSender(track, packetizer, config) {
    packetizer.addToChain(new rtc.RtcpSrReporter(config));
    packetizer.addToChain(new rtc.RtcpNackResponder());
    track.setMediaHandler(packetizer);
    const first = config.timestamp;
    return (due, data) => {
        config.timestamp = (first + Math.round(due * config.clockRate / 1000)) >>> 0;
        track.sendMessageBinary(data);
    };
}

async function publish() {
    const audio = addAudio();
    const video = addVideo();
    const config = packetization(AUDIO);
    const sendAudio = frameSender(audio, new rtc.RtpPacketizer(config), config);
    let sendVideo;
    if (job.rids.length) {
        // The binding has no packetizer that knows layers, so these are packets already.
        video.setMediaHandler(new rtc.RtcpNackResponder());
        sendVideo = (due, data) => video.sendMessageBinary(data);
    } else {
        const { packetizer, config: ofVideo } = videoPacketizer();
        sendVideo = frameSender(video, packetizer, ofVideo);
    }
    const open = Promise.all([opened(audio), opened(video)]);
    const offered = new Promise((resolve) => { pc.onLocalDescription(resolve); });
    const settled = new Promise((resolve) => {
        pc.onStateChange((state) => {
            if (!['new', 'connecting'].includes(state)) resolve(state);
        });
        setTimeout(resolve, CONNECT_TIMEOUT, 'timeout');
    });
    pc.setLocalDescription('offer');
    const offer = asObsWritesIt(await offered);
    const response = await request('POST', job.url, POST_TIMEOUT, offer);
    const answer = await response.text();
    const link = response.headers.get('link');
    tell('answer', { status: response.status, link, offer, answer });
    if (response.status !== 201) return;
    const session = new URL(response.headers.get('location'), response.url);
    const refused = refusedLayers(answer);
    if (refused.length) tell('refused', { refused });
    else {
        pc.setRemoteDescription(answer, 'answer');
        const state = await settled;
        tell(state);
        if (state === 'connected') {
            await open;
            Promise.all([
                play(readMedia(job.audio), sendAudio),
                play(readMedia(job.video), sendVideo),
            ]).then(() => tell('sent'));
            await ending;
            isEnding = true;
        }
    }
    const { status } = await request('DELETE', session, DELETE_TIMEOUT);
    tell('deleted', { status });
}

setTimeout(() => process.exit(1), LIFETIME).unref();
const ending = new Promise((resolve) => { process.stdin.resume().once('end', resolve); });
let isEnding = false;
const pc = new rtc.PeerConnection('publisher', { iceServers: [] });
await publish();
pc.close();
rtc.cleanup();
process.exit(0);
