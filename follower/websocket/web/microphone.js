// The browser's microphone as the piano: mono float frames over the socket, gaps reported when the network is too slow.

const BLOCK_SAMPLES = 512;
const MAX_BUFFERED_S = 0.5;

export class Microphone {
  /**
   * @param {AudioContext} context
   * @param {() => WebSocket | null} socket
   * @param {(level_db: number) => void} onLevel
   * @param {() => void} onEnded the device went away
   */
  static async open(context, socket, onLevel, onEnded) {
    if (!navigator.mediaDevices) throw new Error("browsers allow it only on https, or on this machine (localhost)");
    // What makes speech clearer makes a piano unrecognisable.
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    });
    const node = new AudioWorkletNode(context, "capture", {
      numberOfOutputs: 0, processorOptions: { blockSamples: BLOCK_SAMPLES },
    });
    context.createMediaStreamSource(stream).connect(node);
    for (const track of stream.getTracks()) track.addEventListener("ended", onEnded);
    return new Microphone(context, socket, onLevel, stream, node);
  }

  /**
   * @param {AudioContext} context
   * @param {() => WebSocket | null} socket
   * @param {(level_db: number) => void} onLevel
   * @param {MediaStream} stream
   * @param {AudioWorkletNode} node
   */
  constructor(context, socket, onLevel, stream, node) {
    this.context = context;
    this.socket = socket;
    this.onLevel = onLevel;
    this.stream = stream;
    this.node = node;
    this.lost = 0;
    this.sending = false;
    node.port.onmessage = (event) => this.take(event.data);
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  take(samples) {
    let power = 0;
    for (const sample of samples) power += sample * sample;
    this.onLevel(10 * Math.log10(power / samples.length + 1e-12));
    const socket = this.socket();
    if (!this.sending || socket === null || socket.readyState !== WebSocket.OPEN) return;
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
    this.sending = false;
    this.node.port.onmessage = null;
    this.node.disconnect();
    for (const track of this.stream.getTracks()) track.stop();
  }
}
