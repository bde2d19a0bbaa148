// Collects the audio thread's 128-sample quanta into blocks and posts them to the page.

class Capture extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.blockSamples = options.processorOptions.blockSamples;
    this.block = new Float32Array(this.blockSamples);
    this.filled = 0;
  }

  process(inputs) {
    const channels = inputs[0];
    if (channels.length === 0) return true;
    for (let i = 0; i < channels[0].length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === this.blockSamples) {
        const full = this.block;
        this.block = new Float32Array(this.blockSamples);
        this.filled = 0;
        this.port.postMessage({ samples: full, end: currentFrame + i + 1 }, [full.buffer]);
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
