// The browser's microphone as the piano: mono float frames over the socket, gaps reported when the network is too slow.

const BLOCK_SAMPLES = 512;
const MAX_BUFFERED_S = 0.5;

export class Microphone {
  static async open(socket, onLevel) {
    if (!navigator.mediaDevices) throw new Error("browsers allow it only on https or on this machine (localhost)");
    // What makes speech clearer makes a piano unrecognisable.
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    });
    const context = new AudioContext({ latencyHint: "interactive" });
    await context.audioWorklet.addModule("capture-worklet.js");
    const node = new AudioWorkletNode(context, "capture", { processorOptions: { blockSamples: BLOCK_SAMPLES } });
    context.createMediaStreamSource(stream).connect(node);
    await context.resume();
    return new Microphone(socket, onLevel, stream, context, node);
  }

  constructor(socket, onLevel, stream, context, node) {
    this.socket = socket;
    this.onLevel = onLevel;
    this.stream = stream;
    this.context = context;
    this.node = node;
    this.lost = 0;
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  start() {
    this.node.port.onmessage = (event) => this.take(event.data);
  }

  take(samples) {
    let power = 0;
    for (const sample of samples) power += sample * sample;
    this.onLevel(10 * Math.log10(power / samples.length + 1e-12));
    const socket = this.socket();
    if (socket === null || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_S * this.sampleRate * 4) {
      this.lost += samples.length;
      return;
    }
    if (this.lost > 0) {
      socket.send(JSON.stringify({ type: "gap", lost_samples: this.lost }));
      this.lost = 0;
    }
    socket.send(samples);
  }

  close() {
    this.node.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
