// The piece as a picture: the whole of it with a cursor, and the last seconds with the tempo.

import { clockText } from "./time.js";

/** @typedef {import("./protocol.js").OverviewMessage} OverviewMessage */
/** @typedef {import("./protocol.js").PracticeMessage} PracticeMessage */
/** @typedef {import("./protocol.js").MarkerEntry} MarkerEntry */
/** @typedef {import("./protocol.js").PlaceEntry} PlaceEntry */

const BEHIND_S = 20;
const AHEAD_S = 6;
const STEP_S = 5;
const BIG_STEP_S = 30;
const ENTRY = 0.5; // from here on the piano plays
const SHORTEST_REST_S = 1.5;

/** @param {string} text */
function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A prepared piece as it is drawn. */
export class PieceLooks {
  /** @param {OverviewMessage} message */
  constructor(message) {
    this.name = message.piece;
    this.duration = message.orchestra_duration;
    this.step = message.step;
    this.orchestra = bytesOf(message.orchestra);
    this.piano = bytesOf(message.piano);
    this.cuts = message.cuts;
    this.entries = this.findEntries();
  }

  /** Where the piano comes in after a rest (s). */
  findEntries() {
    const entries = [];
    let restFrom = 0;
    let rests = true;
    for (let i = 0; i < this.piano.length; i += 1) {
      const plays = (this.piano[i] ?? 0) > 255 * ENTRY;
      if (plays && rests && (i - restFrom) * this.step > SHORTEST_REST_S) entries.push(i * this.step);
      if (!plays && !rests) restFrom = i;
      rests = !plays;
    }
    return entries;
  }

  /** @param {number} at (s) */
  pianoRests(at) {
    return (this.piano[Math.floor(at / this.step)] ?? 255) <= 255 * ENTRY;
  }

  /**
   * @param {number} at (s)
   * @returns {number | null} the next entry of the piano (s)
   */
  nextEntry(at) {
    return this.entries.find((entry) => entry > at) ?? null;
  }
}

/** Colours of the page, as the canvas needs them. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    wave: of("--wave"), piano: of("--piano"), cut: of("--cut"), loop: of("--loop"), cursor: of("--cursor"),
    soft: of("--soft"), accent: of("--accent"), line: of("--line"), card: of("--card"),
  };
}

/**
 * A canvas with as many pixels as the screen shows, and the size of a point on it: it grows with the page's text.
 * @param {HTMLCanvasElement} canvas
 */
function fitted(canvas) {
  const pixels = Math.min(globalThis.devicePixelRatio || 1, 2);
  const scale = (pixels * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
  const width = Math.max(Math.round(canvas.clientWidth * pixels), 1);
  const height = Math.max(Math.round(canvas.clientHeight * pixels), 1);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    return { scale, changed: true };
  }
  return { scale, changed: false };
}

export class Timeline {
  /**
   * @param {HTMLCanvasElement} overview
   * @param {HTMLCanvasElement} zoom
   * @param {(seconds: number) => void} onChoose
   */
  constructor(overview, zoom, onChoose) {
    this.overview = overview;
    this.zoom = zoom;
    /** @type {PieceLooks | null} */
    this.looks = null;
    /** @type {MarkerEntry[]} */
    this.markers = [];
    /** @type {PlaceEntry[]} where else the orchestra might stand, the likeliest first */
    this.elsewhere = [];
    /** @type {PracticeMessage | null} */
    this.practice = null;
    /** @type {number | null} chosen with the keyboard (s) */
    this.chosen = null;
    /** @type {{ at: number, position: number, rate: number }[]} */
    this.past = [];
    this.stale = true;
    this.still = document.createElement("canvas");
    this.colours = colours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.colours = colours();
      this.stale = true;
    });
    overview.addEventListener("click", (event) => {
      if (this.looks === null) return;
      onChoose((event.offsetX / overview.clientWidth) * this.looks.duration);
    });
    overview.addEventListener("keydown", (event) => this.key(event, onChoose));
  }

  /** @param {PieceLooks | null} looks */
  show(looks) {
    this.looks = looks;
    this.past = [];
    this.elsewhere = [];
    this.chosen = null;
    this.stale = true;
    this.overview.setAttribute("aria-valuemax", String(Math.round(looks?.duration ?? 0)));
  }

  /** @param {MarkerEntry[]} markers */
  mark(markers) {
    this.markers = markers;
    this.stale = true;
  }

  /** @param {PracticeMessage | null} practice */
  practise(practice) {
    const before = this.practice;
    this.practice = practice;
    if (before?.loop_begin !== practice?.loop_begin || before?.loop_end !== practice?.loop_end
      || before?.start !== practice?.start) this.stale = true;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {(seconds: number) => void} onChoose
   */
  key(event, onChoose) {
    if (this.looks === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = this.chosen ?? this.past.at(-1)?.position ?? 0;
    /** @type {Record<string, number>} */
    const moves = { ArrowLeft: from - STEP_S, ArrowRight: from + STEP_S, PageDown: from - BIG_STEP_S,
      PageUp: from + BIG_STEP_S, Home: 0, End: this.looks.duration - 1 };
    const to = moves[event.key];
    if (to !== undefined) {
      this.chosen = Math.max(0, Math.min(this.looks.duration, to));
      this.overview.setAttribute("aria-valuenow", String(Math.round(this.chosen)));
      this.overview.setAttribute("aria-valuetext", clockText(this.chosen));
    } else if (event.key === "Enter" && this.chosen !== null) {
      onChoose(this.chosen);
      this.chosen = null;
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {number} now (s)
   * @param {number | null} position (s)
   * @param {number} rate
   */
  draw(now, position, rate) {
    if (this.looks === null) return;
    if (position !== null) {
      const last = this.past.at(-1);
      if (last === undefined || now - last.at > 0.04) this.past.push({ at: now, position, rate });
      while (this.past.length > 0 && now - (this.past[0]?.at ?? now) > BEHIND_S) this.past.shift();
    }
    this.drawOverview(this.looks, position);
    this.drawZoom(this.looks, now, position);
  }

  /**
   * @param {PieceLooks} looks
   * @param {number | null} position
   */
  drawOverview(looks, position) {
    const { scale, changed } = fitted(this.overview);
    const { width, height } = this.overview;
    if (changed || this.stale) this.drawStill(looks, width, height, scale);
    this.stale = false;
    const context = this.overview.getContext("2d");
    if (context === null) return;
    context.drawImage(this.still, 0, 0);
    /** @param {number} at @param {string} colour @param {number} thick */
    const line = (at, colour, thick) => {
      context.fillStyle = colour;
      context.fillRect((at / looks.duration) * width - (thick * scale) / 2, 0, thick * scale, height);
    };
    for (const place of this.elsewhere) {
      const at = (place.orchestra_time / looks.duration) * width;
      // The likelier, the stronger; a share of a half is as strong as it gets, and the least is still seen.
      context.globalAlpha = Math.min(0.25 + 1.3 * place.share, 0.9);
      line(place.orchestra_time, this.colours.cursor, 2);
      context.beginPath();
      context.arc(at, height / 2, 7 * scale, 0, 2 * Math.PI);
      context.fill();
      context.globalAlpha = 1;
    }
    if (this.chosen !== null) line(this.chosen, this.colours.accent, 2);
    if (position !== null) {
      context.globalAlpha = 0.12;
      context.fillStyle = this.colours.cursor;
      context.fillRect(0, 0, (position / looks.duration) * width, height);
      context.globalAlpha = 1;
      line(position, this.colours.cursor, 3);
    }
  }

  /**
   * What does not move, drawn once.
   * @param {PieceLooks} looks
   * @param {number} width
   * @param {number} height
   * @param {number} scale
   */
  drawStill(looks, width, height, scale) {
    this.still.width = width;
    this.still.height = height;
    const context = this.still.getContext("2d");
    if (context === null) return;
    const c = this.colours;
    const strip = Math.round(height * 0.09);
    const top = Math.round(20 * scale);
    const middle = top + (height - strip - top) / 2;
    /** @param {number} at */
    const x = (at) => (at / looks.duration) * width;
    context.fillStyle = c.card;
    context.fillRect(0, 0, width, height);
    if (this.practice?.loop_begin != null && this.practice.loop_end != null) {
      context.globalAlpha = 0.18;
      context.fillStyle = c.loop;
      context.fillRect(x(this.practice.loop_begin), 0, x(this.practice.loop_end) - x(this.practice.loop_begin), height);
      context.globalAlpha = 1;
    }
    const bar = Math.max(Math.round(2 * scale), 1);
    for (let left = 0; left < width; left += bar) {
      const from = Math.floor((left / width) * looks.orchestra.length);
      const to = Math.max(Math.floor(((left + bar) / width) * looks.orchestra.length), from + 1);
      let loudest = 0;
      let piano = 0;
      for (let i = from; i < to; i += 1) {
        loudest = Math.max(loudest, looks.orchestra[i] ?? 0);
        piano = Math.max(piano, looks.piano[i] ?? 0);
      }
      const tall = Math.max((loudest / 255) * (height - strip - top) * 0.92, scale);
      context.fillStyle = c.wave;
      context.fillRect(left, middle - tall / 2, bar - scale * 0.5, tall);
      if (piano > 255 * ENTRY) {
        context.fillStyle = c.piano;
        context.fillRect(left, height - strip, bar, strip);
      }
    }
    context.fillStyle = c.cut;
    for (const [at] of looks.cuts) {
      if (at === undefined) continue;
      context.fillRect(x(at) - 2 * scale, top, 4 * scale, height - strip - top);
    }
    context.font = `${13 * scale}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    if (this.practice?.start != null) {
      context.fillStyle = c.accent;
      context.beginPath();
      context.moveTo(x(this.practice.start), top);
      context.lineTo(x(this.practice.start) + 9 * scale, top + 6 * scale);
      context.lineTo(x(this.practice.start), top + 12 * scale);
      context.fill();
    }
    let free = 0;
    for (const marker of this.markers) {
      const at = x(marker.orchestra_time);
      context.fillStyle = c.accent;
      context.fillRect(at - scale / 2, 0, scale, height - strip);
      const wide = context.measureText(marker.name).width;
      if (at < free) continue; // names that would lie on each other
      context.fillText(marker.name, Math.min(at + 4 * scale, width - wide - 2 * scale), 10 * scale);
      free = at + wide + 10 * scale;
    }
  }

  /**
   * @param {PieceLooks} looks
   * @param {number} now
   * @param {number | null} position
   */
  drawZoom(looks, now, position) {
    const { scale } = fitted(this.zoom);
    const { width, height } = this.zoom;
    const context = this.zoom.getContext("2d");
    if (context === null) return;
    const c = this.colours;
    context.fillStyle = c.card;
    context.fillRect(0, 0, width, height);
    const here = (width * BEHIND_S) / (BEHIND_S + AHEAD_S);
    const perSecond = width / (BEHIND_S + AHEAD_S);
    if (position === null) {
      context.fillStyle = c.soft;
      context.font = `${14 * scale}px system-ui, sans-serif`;
      context.textBaseline = "middle";
      context.fillText("Here the last 20 seconds appear, and your tempo against the recording.", 14 * scale, height / 2);
      return;
    }
    const strip = height * 0.1;
    const middle = (height - strip) / 2;
    const bar = perSecond * looks.step;
    const first = Math.max(Math.floor((position - BEHIND_S) / looks.step), 0);
    const last = Math.min(Math.ceil((position + AHEAD_S) / looks.step), looks.orchestra.length);
    for (let i = first; i < last; i += 1) {
      const left = here + (i * looks.step - position) * perSecond;
      const tall = Math.max(((looks.orchestra[i] ?? 0) / 255) * (height - strip) * 0.9, scale);
      context.fillStyle = c.wave;
      context.globalAlpha = left > here ? 0.45 : 0.9;
      context.fillRect(left, middle - tall / 2, Math.max(bar - scale * 0.6, scale), tall);
      if ((looks.piano[i] ?? 0) > 255 * ENTRY) {
        context.fillStyle = c.piano;
        context.fillRect(left, height - strip, bar + 1, strip);
      }
    }
    context.globalAlpha = 1;
    for (const marker of this.markers) {
      const left = here + (marker.orchestra_time - position) * perSecond;
      if (left < 0 || left > width) continue;
      context.fillStyle = c.accent;
      context.fillRect(left, 0, scale, height);
      context.font = `${12 * scale}px system-ui, sans-serif`;
      const wide = context.measureText(marker.name).width;
      context.fillText(marker.name, Math.min(left + 4 * scale, width - wide - 2 * scale), 10 * scale);
    }
    // The tempo against the recording: the middle is as recorded, the edges are half and twice as fast.
    context.strokeStyle = c.line;
    context.lineWidth = scale;
    context.beginPath();
    context.moveTo(0, middle);
    context.lineTo(width, middle);
    context.stroke();
    context.strokeStyle = c.cursor;
    context.lineWidth = 2 * scale;
    context.beginPath();
    let drawing = false;
    for (const point of this.past) {
      const left = here - (now - point.at) * perSecond;
      if (point.rate <= 0) {
        drawing = false;
        continue;
      }
      const y = middle - Math.max(-1, Math.min(1, Math.log2(point.rate))) * middle * 0.9;
      if (drawing) context.lineTo(left, y);
      else context.moveTo(left, y);
      drawing = true;
    }
    context.stroke();
    context.fillStyle = c.cursor;
    context.fillRect(here - scale, 0, 2 * scale, height);
    context.fillStyle = c.soft;
    context.font = `${11 * scale}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.fillText("\u00d72", 4 * scale, middle * 0.1 + 6 * scale);
    context.fillText("\u00d71", 4 * scale, middle - 8 * scale);
    context.fillText("\u00d7\u00bd", 4 * scale, middle * 1.9 - 4 * scale);
  }
}
