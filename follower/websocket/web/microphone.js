// The browser's microphone as the piano: mono float frames over the socket, gaps reported when the network is too slow.

import { nowSeconds } from "./connection.js";

const BLOCK_SAMPLES = 512;
const MAX_BUFFERED_S = 0.5;
const STAMP_EVERY_BLOCKS = 50;
const DELAYS_KEPT = 200;

export class Microphone {
  /**
   * @param {AudioContext} context
   * @param {import("./connection.js").Connection} connection
   * @param {(level_db: number) => void} onLevel
   * @param {() => void} onEnded the device went away
   */
  static async open(context, connection, onLevel, onEnded) {
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
    return new Microphone(context, connection, onLevel, stream, node);
  }

  /**
   * @param {AudioContext} context
   * @param {import("./connection.js").Connection} connection
   * @param {(level_db: number) => void} onLevel
   * @param {MediaStream} stream
   * @param {AudioWorkletNode} node
   */
  constructor(context, connection, onLevel, stream, node) {
    this.context = context;
    this.connection = connection;
    this.onLevel = onLevel;
    this.stream = stream;
    this.node = node;
    this.lost = 0;
    this.sending = false;
    this.counted = 0; // samples that were sent, or reported lost
    /** @type {number[]} from the audio clock to ours (s); the least has no waiting in it */
    this.delays = [];
    /** @type {MediaTrackSettings & { latency?: number }} */
    const settings = stream.getAudioTracks()[0]?.getSettings() ?? {};
    this.inputLatency = settings.latency ?? 0;
    node.port.onmessage = (event) => this.take(event.data.samples, event.data.end);
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  /** A session takes the samples from now on. */
  begin() {
    this.sending = true;
    this.counted = 0;
    this.lost = 0;
  }

  /**
   * @param {Float32Array<ArrayBuffer>} samples
   * @param {number} end frame of the audio clock behind the last of them
   */
  take(samples, end) {
    this.delays.push(nowSeconds() - end / this.sampleRate);
    if (this.delays.length > DELAYS_KEPT) this.delays.shift();
    let power = 0;
    for (const sample of samples) power += sample * sample;
    this.onLevel(10 * Math.log10(power / samples.length + 1e-12));
    const socket = this.connection.socket;
    if (!this.sending || socket === null || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_S * this.sampleRate * 4) {
      this.lost += samples.length;
      return;
    }
    if (this.lost > 0) {
      socket.send(JSON.stringify({ type: "gap", lost_samples: this.lost }));
      this.counted += this.lost;
      this.lost = 0;
    }
    socket.send(samples);
    this.counted += samples.length;
    if ((this.counted / BLOCK_SAMPLES) % STAMP_EVERY_BLOCKS === 1) this.stamp(end);
  }

  /**
   * Say when the samples were captured: the way from there to the server is not the pianist's.
   * @param {number} end
   */
  stamp(end) {
    const offset = this.connection.clockOffset;
    if (offset === null || this.delays.length < STAMP_EVERY_BLOCKS) return;
    const at = end / this.sampleRate + Math.min(...this.delays) - this.inputLatency + offset;
    this.connection.send({ type: "captured", sample: this.counted, at });
  }

  close() {
    this.sending = false;
    this.node.port.onmessage = null;
    this.node.disconnect();
    for (const track of this.stream.getTracks()) track.stop();
  }
}
