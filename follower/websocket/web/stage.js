// The stage: one screen that is read from the piano, in the dark, and stays on.

import { button, element, find, say } from "./dom.js";

export class Stage {
  constructor() {
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    /** @type {Element | null} */
    this.before = null;
    button("stage-close").addEventListener("click", () => void this.close());
    document.addEventListener("fullscreenchange", () => {
      if (document.fullscreenElement === null && this.wasFull) void this.close();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.isOpen) void this.stayOn();
    });
    this.wasFull = false;
  }

  get isOpen() {
    return !element("stage").hidden;
  }

  async open() {
    this.before = document.activeElement;
    element("stage").hidden = false;
    for (const id of ["room", "library"]) element(id).inert = true;
    button("stage-close").focus();
    void this.stayOn();
    try {
      await document.documentElement.requestFullscreen();
      this.wasFull = true;
    } catch {
      // Where full screen is not allowed the window itself is the stage.
    }
  }

  async close() {
    if (!this.isOpen) return;
    element("stage").hidden = true;
    for (const id of ["room", "library"]) element(id).inert = false;
    this.wasFull = false;
    if (this.before instanceof HTMLElement) this.before.focus();
    await this.lock?.release();
    this.lock = null;
    if (document.fullscreenElement !== null) await document.exitFullscreen();
  }

  async stayOn() {
    try {
      this.lock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      // A laptop on battery may refuse; the stage works all the same.
    }
  }

  /** @param {{ piece: string, state: string, words: string, clock: string, next: string, share: number }} shown */
  show(shown) {
    if (!this.isOpen) return;
    element("stage").dataset.state = shown.state;
    say("stage-piece", shown.piece);
    say("stage-state", shown.words);
    say("stage-clock", shown.clock);
    say("stage-next", shown.next);
    find("stage-bar", HTMLProgressElement).value = shown.share;
  }
}
