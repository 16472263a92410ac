/**
 * What the browsers do: WHIP and WHEP in their plain form, the same for every server.
 *
 * @module
 */

/** @type {RTCPeerConnection} */ let pc;
/** When each picture was shown, in ms. @type {number[]} */
const shown = [];

/**
 * Watches a stream. Resolves when its first picture is shown.
 *
 * @param {string} endpoint
 * @param {string|null} token
 */
export async function watch(endpoint, token) {
  pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  for (const kind of ['video', 'audio']) pc.addTransceiver(kind, { direction: 'recvonly' });
  const video = document.body.appendChild(document.createElement('video'));
  video.autoplay = true;
  video.srcObject = new MediaStream(pc.getReceivers().map(({ track }) => track));
  await connect(endpoint, token);
  await new Promise((resolve) => {
    const note = (now) => {
      shown.push(now);
      resolve();
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  });
}

/**
 * Publishes the camera and the microphone, with H.264 before all other codecs.
 *
 * @param {string} endpoint
 * @param {string|null} token
 */
export async function publish(endpoint, token) {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  for (const track of media.getTracks()) {
    const transceiver = pc.addTransceiver(track, { direction: 'sendonly', streams: [media] });
    if (track.kind !== 'video') continue;
    const { codecs } = RTCRtpSender.getCapabilities('video');
    const isWanted = ({ mimeType }) => mimeType === 'video/H264';
    transceiver.setCodecPreferences([
      ...codecs.filter(isWanted),
      ...codecs.filter((codec) => !isWanted(codec)),
    ]);
  }
  await connect(endpoint, token);
}

/** The browser's statistics, and the pictures since this was called last. */
export async function look() {
  const statistics = [...(await pc.getStats()).values()];
  return { now: performance.now(), statistics, shown: shown.splice(0) };
}

/** @param {string} endpoint @param {string|null} token */
async function connect(endpoint, token) {
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== 'complete') {
    await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', resolve));
  }
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/sdp',
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: pc.localDescription.sdp,
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${body}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: body });
  while (pc.connectionState !== 'connected') {
    await new Promise((resolve) => pc.addEventListener('connectionstatechange', resolve));
    if (pc.connectionState === 'failed') throw new Error('no connection');
  }
}
