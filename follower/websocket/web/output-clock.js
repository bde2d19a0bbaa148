// When what the audio clock renders is heard. Single stamps of the browser are off by milliseconds when it is busy, so the
// median of the last ones counts; the two clocks drift by less than 0.2 ms within that time.

const EVERY_MS = 50;
const KEPT = 60;
const AFTER_A_STEP = 5;
const STEP_S = 0.02;

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? NaN) + upper) / 2;
}

export class OutputClock {
  /** @param {AudioContext} context */
  constructor(context) {
    this.context = context;
    /** @type {number[]} our clock minus the audio clock's when the same frame is heard (s) */
    this.offsets = [];
    this.lastTime = -1;
    setInterval(() => this.look(), EVERY_MS);
  }

  look() {
    const stamp = this.context.getOutputTimestamp?.();
    // The same stamp twice says nothing new.
    if (!stamp?.contextTime || !stamp.performanceTime || stamp.contextTime === this.lastTime) return;
    this.lastTime = stamp.contextTime;
    this.offsets.push(stamp.performanceTime / 1000 - stamp.contextTime);
    const newest = this.offsets.slice(-AFTER_A_STEP);
    const before = median(this.offsets);
    // Another loudspeaker, or sound that the device lost: what was before holds no longer.
    if (Math.min(...newest) > before + STEP_S || Math.max(...newest) < before - STEP_S) this.offsets = newest;
    if (this.offsets.length > KEPT) this.offsets.shift();
  }

  /** What to add to the audio clock (s); null while the browser does not say. */
  get offset() {
    if (this.offsets.length === 0) this.look();
    return this.offsets.length === 0 ? null : median(this.offsets);
  }
}
