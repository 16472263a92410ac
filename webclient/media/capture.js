/**
 * Sources of media to publish: camera, screen or test pattern.
 *
 * @module
 */

import { startPattern } from './test-pattern.js';

/** @typedef {'camera'|'screen'|'pattern'} SourceKind */

/**
 * @typedef {object} SourceWish
 * @property {SourceKind} source
 * @property {number} width Pixels; a camera or a screen may give another size.
 * @property {number} height
 * @property {number} frameRate Frames per second.
 * @property {boolean} audio
 * @property {string} camera The id of the camera; empty: the browser's choice.
 * @property {string} microphone The id of the microphone, likewise.
 */

/**
 * @typedef {object} Source
 * @property {MediaStream} media
 * @property {() => void} stop Releases the devices.
 */

/** Media cannot be captured. The message tells the user the reason and a remedy. */
export class CaptureError extends Error {
  name = 'CaptureError';
}

/** Messages for errors of `getUserMedia` and `getDisplayMedia`, by their names. */
const CAMERA_PROBLEMS = {
  NotAllowedError:
    'The browser may not use the camera or the microphone. Allow both for this page, ' +
    'in the address bar or in the settings of the browser, and start again.',
  NotFoundError:
    'There is no camera, or no microphone for the sound. Connect what is missing, ' +
    'publish without sound, or publish the test pattern.',
  NotReadableError:
    'The camera or the microphone cannot be used now. Another program may have it: ' +
    'close that, and start again.',
  OverconstrainedError:
    'The chosen camera or microphone is not there any more. Choose another one.',
};
const SCREEN_PROBLEMS = {
  NotAllowedError:
    'No screen was chosen, or the browser may not share it. Start again and choose one; if ' +
    'the browser does not ask, allow it for this page in its settings.',
  NotFoundError: 'There is no screen to share. Publish a camera or the test pattern.',
  NotReadableError:
    'The system does not let the browser see the screen. Allow it in the settings of ' +
    'the system, and start again.',
};

const INSECURE =
  'Browsers give a page the camera or the screen only over https:// or from localhost, ' +
  'and this page came over plain http://. The test pattern works here, too.';
const NO_SCREEN =
  'This browser cannot share its screen. Phones and tablets mostly cannot. Publish the camera.';

/**
 * The cameras and microphones that have names: browsers tell them once they may be used.
 *
 * @returns {Promise<{cameras: {id: string, label: string}[],
 *   microphones: {id: string, label: string}[]}>}
 */
export async function listDevices() {
  const found = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const of = (wanted) =>
    found
      .filter(({ kind, label }) => kind === wanted && label)
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { cameras: of('videoinput'), microphones: of('audioinput') };
}

/** @param {string} id @returns {{deviceId?: {exact: string}}} */
const exactly = (id) => (id ? { deviceId: { exact: id } } : {});

/**
 * @param {SourceWish} wish
 * @returns {Promise<Source>}
 * @throws {CaptureError}
 */
export async function capture(wish) {
  if (wish.source === 'pattern') return startPattern(wish);
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new CaptureError(INSECURE);
  if (wish.source === 'screen' && !mediaDevices.getDisplayMedia) {
    throw new CaptureError(NO_SCREEN);
  }
  const video = {
    width: { ideal: wish.width },
    height: { ideal: wish.height },
    frameRate: { ideal: wish.frameRate },
  };
  try {
    const media =
      wish.source === 'screen'
        ? await mediaDevices.getDisplayMedia({ video, audio: wish.audio })
        : await mediaDevices.getUserMedia({
            video: { ...video, ...exactly(wish.camera) },
            audio: wish.audio && exactly(wish.microphone),
          });
    // Tells the encoder whether to keep the resolution or the frame rate.
    for (const track of media.getVideoTracks()) {
      track.contentHint = wish.source === 'screen' ? 'detail' : 'motion';
    }
    return { media, stop: () => media.getTracks().forEach((track) => track.stop()) };
  } catch (error) {
    const problems = wish.source === 'screen' ? SCREEN_PROBLEMS : CAMERA_PROBLEMS;
    const text =
      problems[error.name] ??
      `The browser gives no picture: ${error.message}. Try another source; the test pattern ` +
        'needs no device.';
    throw new CaptureError(text, { cause: error });
  }
}
