// Plays the orchestra's blocks where they belong on the time line; what is not there in time is silence, faded.

const KEPT_S = 4;
const FADE_SAMPLES = 96;

class Sound extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.ceil(KEPT_S * sampleRate);
    this.left = new Float32Array(this.size);
    this.right = new Float32Array(this.size);
    this.present = new Float64Array(this.size).fill(-1); // which frame of the time line is there
    this.origin = null; // frame of the audio clock at which the time line's frame 0 is played
    this.gain = 0;
    this.last = [0, 0];
    this.reset();
    this.port.onmessage = (event) => this.take(event.data);
  }

  reset() {
    this.slack = Infinity;
    this.missing = 0;
    this.begun = false;
  }

  take(message) {
    if (message.kind === "begin") {
      this.origin = currentFrame;
      this.present.fill(-1);
      this.reset();
      this.port.postMessage({ kind: "begun", origin: this.origin });
    } else if (message.kind === "end") {
      this.origin = null;
    } else if (message.kind === "block" && this.origin !== null) {
      this.keep(message.first, new Int16Array(message.samples));
    } else if (message.kind === "report" && this.origin !== null) {
      const frame = currentFrame - this.origin;
      this.port.postMessage({ kind: "report", frame, slack: this.slack, missing: this.missing });
      this.slack = Infinity;
      this.missing = 0;
    }
  }

  keep(first, samples) {
    const frames = samples.length / 2;
    this.begun = true;
    this.slack = Math.min(this.slack, (first - (currentFrame - this.origin)) / sampleRate);
    for (let i = 0; i < frames; i += 1) {
      const at = (first + i) % this.size;
      this.left[at] = samples[2 * i] / 32768;
      this.right[at] = samples[2 * i + 1] / 32768;
      this.present[at] = first + i;
    }
  }

  process(inputs, outputs) {
    const [left, right] = outputs[0];
    if (this.origin === null) return true;
    for (let i = 0; i < left.length; i += 1) {
      const frame = currentFrame + i - this.origin;
      const at = frame % this.size;
      if (this.present[at] === frame) {
        this.gain = Math.min(1, this.gain + 1 / FADE_SAMPLES);
        this.last[0] = this.left[at];
        this.last[1] = this.right[at];
      } else {
        this.gain = Math.max(0, this.gain - 1 / FADE_SAMPLES);
        if (this.begun) this.missing += 1;
      }
      left[i] = this.last[0] * this.gain;
      right[i] = this.last[1] * this.gain;
    }
    return true;
  }
}

registerProcessor("sound", Sound);
