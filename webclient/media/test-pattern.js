/**
 * A test pattern: moving bars with a clock, a frame counter, noise, and a tone.
 *
 * @module
 */

import { startTicking } from '../ui/ticker.js';

/** @typedef {import('./capture.js').Source} Source */
/** @typedef {import('./capture.js').SourceWish} SourceWish */

const BARS = ['#c0c0c0', '#c0c000', '#00c0c0', '#00c000', '#c000c0', '#c00000', '#0000c0'];
/** Seconds for one cycle of the bars. */
const ROUND = 8;
/** The height of the noise, as a fraction. Noise makes an encoder reach its bitrate. */
const NOISE_SHARE = 0.15;
const NOISE_SIZE = 512;
/** Of 256 levels of grey. With more, encoders would reduce the resolution. */
const NOISE_LEVELS = 48;
const TONE_HZ = 440;
const TONE_GAIN = 0.1;

/** @returns {HTMLCanvasElement} A tile of noise. */
function makeNoise() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = NOISE_SIZE;
  const context = canvas.getContext('2d');
  const image = context.createImageData(NOISE_SIZE, NOISE_SIZE);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data.fill(128 + NOISE_LEVELS * (Math.random() - 0.5), i, i + 3);
    image.data[i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLCanvasElement} noise
 * @param {number} frame Its number.
 * @param {number} frameRate
 */
function draw(context, noise, frame, frameRate) {
  const { width, height } = context.canvas;
  const bar = width / BARS.length;
  const offset = ((frame / frameRate / ROUND) % 1) * width;
  BARS.forEach((colour, i) => {
    const x = (i * bar + offset) % width;
    context.fillStyle = colour;
    context.fillRect(x, 0, Math.ceil(bar), height);
    // A bar that leaves at one side enters at the other.
    context.fillRect(x - width, 0, Math.ceil(bar), height);
  });
  const top = height * (1 - NOISE_SHARE);
  for (let x = -NOISE_SIZE * Math.random(); x < width; x += NOISE_SIZE) {
    for (let y = top; y < height; y += NOISE_SIZE) {
      const cut = Math.min(NOISE_SIZE, height - y);
      const from = (NOISE_SIZE - cut) * Math.random();
      context.drawImage(noise, 0, from, NOISE_SIZE, cut, x, y, NOISE_SIZE, cut);
    }
  }
  context.fillStyle = '#000000';
  context.fillRect(0, 0.2 * height, width, 0.3 * height);
  context.fillStyle = '#ffffff';
  context.font = `${Math.round(height / 7)}px monospace`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const clock = new Date().toISOString().slice(11, 23);
  context.fillText(clock, width / 2, 0.3 * height);
  context.font = `${Math.round(height / 12)}px monospace`;
  context.fillText(`frame ${frame}`, width / 2, 0.43 * height);
}

/** @returns {{track: MediaStreamTrack, stop: () => void}} A quiet tone. */
function startTone() {
  const audio = new AudioContext();
  const oscillator = new OscillatorNode(audio, { frequency: TONE_HZ });
  const gain = new GainNode(audio, { gain: TONE_GAIN });
  const output = audio.createMediaStreamDestination();
  oscillator.connect(gain).connect(output);
  oscillator.start();
  const [track] = output.stream.getAudioTracks();
  return { track, stop: () => audio.close() };
}

/**
 * @param {SourceWish} wish
 * @returns {Source}
 */
export function startPattern({ width, height, frameRate, audio }) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { alpha: false });
  const noise = makeNoise();
  let frame = 0;
  const next = () => draw(context, noise, (frame += 1), frameRate);
  next();
  const media = canvas.captureStream();
  const stopTicking = startTicking(next, 1000 / frameRate);
  const tone = audio ? startTone() : null;
  if (tone) media.addTrack(tone.track);
  const stop = () => {
    stopTicking();
    for (const track of media.getTracks()) track.stop();
    tone?.stop();
  };
  return { media, stop };
}
