// The orchestra on this device: the server's blocks go to the audio thread, and when they are heard goes back.

import { nowSeconds } from "./connection.js";
import { OutputClock } from "./output-clock.js";

/** @typedef {import("./connection.js").Connection} Connection */

const REPORT_MS = 200;
const HEADER_BYTES = 16;
const LATE_KEY = "follower-late-ms";

export class OrchestraSound {
  /**
   * @param {AudioContext} context
   * @param {Connection} connection
   */
  constructor(context, connection) {
    this.context = context;
    this.clock = new OutputClock(context);
    this.connection = connection;
    this.node = new AudioWorkletNode(context, "sound", { numberOfInputs: 0, outputChannelCount: [2] });
    this.node.connect(context.destination);
    this.stream = -1;
    this.origin = 0;
    this.begun = false;
    this.missing = 0;
    /** What the output adds after the browser's own latency, as Bluetooth does (ms). */
    this.lateMs = Number(localStorage.getItem(LATE_KEY) ?? 0);
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    this.node.port.onmessage = (event) => this.heard(event.data);
  }

  /** @param {number} milliseconds */
  setLate(milliseconds) {
    this.lateMs = milliseconds;
    localStorage.setItem(LATE_KEY, String(milliseconds));
  }

  ask() {
    this.connection.send({ type: "listen", sample_rate: this.context.sampleRate });
  }

  /** @param {number} stream */
  begin(stream) {
    this.stream = stream;
    this.begun = false;
    this.missing = 0;
    this.node.port.postMessage({ kind: "begin" });
    clearInterval(this.timer);
    this.timer = setInterval(() => this.node.port.postMessage({ kind: "report" }), REPORT_MS);
  }

  end() {
    clearInterval(this.timer);
    this.stream = -1;
    this.node.port.postMessage({ kind: "end" });
  }

  /** @param {ArrayBuffer} data */
  take(data) {
    const header = new DataView(data);
    if (header.getUint32(0, true) !== this.stream) return;
    const first = Number(header.getBigUint64(8, true));
    const samples = data.slice(HEADER_BYTES);
    this.node.port.postMessage({ kind: "block", first, samples }, [samples]);
  }

  /** @param {{ kind: string, origin?: number, frame?: number, slack?: number, missing?: number }} message */
  heard(message) {
    if (this.stream < 0) return; // it has ended; this was on its way
    if (message.kind === "begun") {
      this.origin = message.origin ?? 0;
      this.begun = true;
      this.report(0, Infinity, 0);
    } else if (message.kind === "report" && this.begun) {
      this.missing += message.missing ?? 0;
      this.report(message.frame ?? 0, message.slack ?? Infinity, message.missing ?? 0);
    }
  }

  /**
   * @param {number} frame of the time line
   * @param {number} slack (s)
   * @param {number} missing frames
   */
  report(frame, slack, missing) {
    const at = this.heardAt(frame);
    if (at === null || frame < 0) return;
    const slack_ms = Math.max(-10_000, Math.min(10_000, slack === Infinity ? 30 : 1000 * slack));
    this.connection.send({ type: "heard", stream: this.stream, frame, at, slack_ms, missing });
  }

  /**
   * @param {number} frame of the time line
   * @returns {number | null} the server's clock when it leaves the loudspeaker (s)
   */
  heardAt(frame) {
    const offset = this.connection.clockOffset;
    if (offset === null) return null;
    const contextTime = (this.origin + frame) / this.context.sampleRate;
    return this.outputAt(contextTime) + offset + this.lateMs / 1000;
  }

  /**
   * @param {number} contextTime
   * @returns {number} our clock when what is rendered for that time leaves the loudspeaker (s)
   */
  outputAt(contextTime) {
    const offset = this.clock.offset;
    if (offset !== null) return contextTime + offset;
    const latency = (this.context.outputLatency || 0) + (this.context.baseLatency || 0);
    return nowSeconds() + (contextTime - this.context.currentTime) + latency;
  }

  /** From rendering to the loudspeaker (ms). */
  get latencyMs() {
    return 1000 * (this.outputAt(this.context.currentTime) - nowSeconds()) + this.lateMs;
  }
}
