/**
 * The level of the sound that is captured.
 *
 * @module
 */

/** The level that is shown as nothing, in decibels below the loudest. */
const FLOOR = -60;

export class LevelMeter {
  /** @type {AudioContext|null} */ #context = null;
  /** @type {AnalyserNode|null} */ #analyser = null;
  /** @type {MediaStreamTrack|null} */ #track = null;
  #samples = new Float32Array(1024);

  /** @param {MediaStreamTrack|null} track The sound; null for none. */
  listen(track) {
    if (track === this.#track) return;
    this.#track = track;
    this.#context?.close();
    this.#context = this.#analyser = null;
    if (!track) return;
    this.#context = new AudioContext();
    this.#analyser = new AnalyserNode(this.#context, { fftSize: this.#samples.length });
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
  }

  /** @returns {number|null} From 0 (silence) to 1 (the loudest); null without sound. */
  get level() {
    if (!this.#analyser) return null;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const peak = this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    if (peak === 0) return 0;
    return Math.min(1, Math.max(0, 1 - (20 * Math.log10(peak)) / FLOOR));
  }
}
