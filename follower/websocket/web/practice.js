// The controls of the practice room: where to begin, markers, loop, tempo, tuning, recordings.

import { button, choose, element, input, make, makeButton, save, say, select } from "./dom.js";
import { clockText, secondsOf } from "./time.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./protocol.js").MarkerEntry} MarkerEntry */
/** @typedef {import("./protocol.js").PracticeMessage} PracticeMessage */
/** @typedef {import("./protocol.js").TakeEntry} TakeEntry */
/** @typedef {import("./player.js").Player} Player */

const FREE_SLOWEST = 40;
const FREE_FASTEST = 250;
const TAPS_KEPT = 8;
const TAPS_APART_MS = 3000;
const WHILE_PLAYING = ["begin", "again", "mark", "loop", "record", "pause", "lead-in", "beats", "count-in", "bpm", "tap",
  "volume", "slowest", "fastest", "tempo-free", "tempo-fixed", "tune", "listen", "marker-set"];

export class PracticeView {
  /**
   * @param {Connection} connection
   * @param {Player} player
   */
  constructor(connection, player) {
    this.connection = connection;
    this.player = player;
    /** @type {PracticeMessage | null} */
    this.practice = null;
    /** @type {MarkerEntry[]} */
    this.markers = [];
    /** @type {number | null} where a loop was begun and not ended yet (s) */
    this.loopFrom = null;
    this.paused = false;
    /** @type {number[]} when a beat was tapped (ms) */
    this.taps = [];
    /** @type {(take: string) => void} */
    this.onTake = () => {};
    this.wire();
  }

  wire() {
    const send = this.connection.send.bind(this.connection);
    element("begin-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const at = this.place("begin-at", "begin-trouble");
      if (at !== null) this.begin(at);
    });
    element("marker-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const here = input("marker-at").value.trim() === "";
      const at = here ? null : this.place("marker-at", "marker-trouble");
      if (!here && at === null) return;
      say("marker-trouble", "");
      const name = input("marker-name").value.trim() || this.nextLetter();
      send({ type: "mark", name, ...(at === null ? {} : { orchestra_time: at }) });
      input("marker-name").value = "";
      input("marker-at").value = "";
    });
    button("again").addEventListener("click", () => this.again());
    button("mark").addEventListener("click", () => this.mark());
    button("loop").addEventListener("click", () => this.loop());
    button("record").addEventListener("click", () => this.record());
    button("pause").addEventListener("click", () => this.pause());
    const lead = () => {
      const [length = "0", unit] = select("lead-in").value.split(" ");
      if (unit === undefined) send({ type: "lead_in", duration: Number(length) });
      else send({ type: "lead_in_bars", bars: Number(length), beats_per_bar: Number(select("beats").value) });
    };
    select("lead-in").addEventListener("change", lead);
    select("beats").addEventListener("change", lead);
    const count = () => {
      const bpm = Math.max(20, Math.min(300, Number(input("bpm").value) || 60));
      send({ type: "count_in", clicks: Number(select("count-in").value), beats_per_minute: bpm });
    };
    select("count-in").addEventListener("change", count);
    input("bpm").addEventListener("change", count);
    button("tap").addEventListener("click", () => this.tap());
    input("volume").addEventListener("input", () => send({ type: "volume", level_db: Number(input("volume").value) }));
    for (const moved of ["slowest", "fastest"]) input(moved).addEventListener("change", () => this.tempo(moved));
    button("tempo-free").addEventListener("click", () => send({ type: "tempo" }));
    button("tempo-fixed").addEventListener("click", () => {
      const rate = Math.round(100 * Math.max(0.4, Math.min(2.5, this.player.position?.rate || 1))) / 100;
      send({ type: "tempo", slowest: rate, fastest: rate });
    });
    input("tune").addEventListener("change", () => {
      send({ type: "tune", to: input("tune").checked ? "piano" : "recording" });
    });
    button("export-csv").addEventListener("click", () => {
      const quoted = (/** @type {string} */ text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
      const rows = this.markers.map((marker) => `${quoted(marker.name)},${marker.orchestra_time.toFixed(3)}\n`);
      const text = `name,orchestra_time_s\n${rows.join("")}`;
      save(new Blob([text], { type: "text/csv" }), `${this.player.piece || "markers"}.csv`);
    });
    button("export-labels").addEventListener("click", () => {
      const rows = this.markers.map((marker) => {
        const at = marker.orchestra_time.toFixed(6);
        return `${at}\t${at}\t${marker.name}\n`;
      });
      save(new Blob([rows.join("")], { type: "text/plain" }), `${this.player.piece || "markers"} labels.txt`);
    });
  }

  /**
   * The position typed into a field; says what is wrong with it.
   * @param {string} field
   * @param {string} trouble
   * @returns {number | null}
   */
  place(field, trouble) {
    const at = secondsOf(input(field).value);
    const duration = this.player.session?.orchestra_duration ?? Infinity;
    let words = "";
    if (at === null) words = "Minutes and seconds of the orchestra recording, as in 1:30";
    else if (at > duration) words = `The orchestra recording ends at ${clockText(duration)}`;
    say(trouble, words);
    input(field).setAttribute("aria-invalid", String(words !== ""));
    return words === "" ? at : null;
  }

  /** @param {number} at */
  begin(at) {
    this.resumeIfPaused();
    this.connection.send({ type: "begin", orchestra_time: at });
  }

  /** A beat of the recording, or of what the pianist imagines; the tempo is that of the last ones. */
  tap() {
    if (button("tap").disabled) return;
    const now = performance.now();
    if (now - (this.taps.at(-1) ?? -Infinity) > TAPS_APART_MS) this.taps = [];
    this.taps = [...this.taps, now].slice(-TAPS_KEPT);
    if (this.taps.length < 3) return; // two say too little
    const beat = (now - (this.taps[0] ?? now)) / (this.taps.length - 1);
    input("bpm").value = String(Math.max(20, Math.min(300, Math.round(60_000 / beat))));
    input("bpm").dispatchEvent(new Event("change"));
  }

  again() {
    if (button("again").disabled) return;
    this.resumeIfPaused();
    this.connection.send({ type: "again" });
  }

  mark() {
    if (button("mark").disabled) return;
    this.connection.send({ type: "mark", name: this.nextLetter() });
  }

  /** The first rehearsal letter that is not taken. */
  nextLetter() {
    const taken = new Set(this.markers.map((marker) => marker.name));
    for (let n = 0; ; n += 1) {
      const letter = String.fromCharCode(65 + (n % 26)) + (n >= 26 ? String(Math.floor(n / 26)) : "");
      if (!taken.has(letter)) return letter;
    }
  }

  /** First press: from here. Second: to here. Third: no loop. */
  loop() {
    if (button("loop").disabled) return;
    const at = this.player.now();
    if (this.practice?.loop_begin != null) {
      this.connection.send({ type: "unloop" });
      this.loopFrom = null;
    } else if (this.loopFrom === null) {
      this.loopFrom = at;
    } else if (at !== null) {
      this.connection.send({ type: "loop", begin: Math.min(this.loopFrom, at), end: Math.max(this.loopFrom, at) });
      this.loopFrom = null;
    }
    this.showLoop();
  }

  /** @param {MarkerEntry} from */
  loopFromMarker(from) {
    const next = this.markers.find((marker) => marker.orchestra_time > from.orchestra_time);
    const end = next?.orchestra_time ?? this.player.session?.orchestra_duration ?? from.orchestra_time + 10;
    this.connection.send({ type: "loop", begin: from.orchestra_time, end });
    this.begin(from.orchestra_time);
  }

  record() {
    if (button("record").disabled) return;
    this.connection.send({ type: this.practice?.recorded == null ? "record" : "end_record" });
  }

  pause() {
    if (button("pause").disabled) return;
    this.connection.send({ type: this.paused ? "resume" : "pause" });
    this.paused = !this.paused;
    this.showPause();
  }

  resumeIfPaused() {
    if (this.paused) this.pause();
  }

  showPause() {
    const found = button("pause");
    found.replaceChildren(this.paused ? "Go on " : "Pause ", make("kbd", "", "Space"));
    found.setAttribute("aria-pressed", String(this.paused));
  }

  /** @param {string} moved */
  tempo(moved) {
    let slowest = Number(input("slowest").value) / 100;
    let fastest = Number(input("fastest").value) / 100;
    if (slowest > fastest) {
      if (moved === "slowest") fastest = slowest;
      else slowest = fastest;
    }
    this.connection.send({ type: "tempo", slowest, fastest });
  }

  /** Buttons do something or are disabled. @param {boolean} possible */
  enable(possible) {
    for (const id of WHILE_PLAYING) {
      const found = element(id);
      if (found instanceof HTMLButtonElement || found instanceof HTMLInputElement || found instanceof HTMLSelectElement) {
        found.disabled = !possible;
      }
    }
    button("again").disabled = !possible || this.practice?.start == null;
    const placed = possible && this.player.now() !== null;
    button("mark").disabled = !placed;
    button("loop").disabled = !placed && this.practice?.loop_begin == null;
    button("tempo-fixed").disabled = !placed;
    this.enableBeats();
    for (const found of element("markers").querySelectorAll("button")) found.disabled = !possible;
  }

  /** Only bars have beats. */
  enableBeats() {
    select("beats").disabled = select("lead-in").disabled || (this.practice?.lead_in_bars ?? 0) === 0;
  }

  /** @param {PracticeMessage | null} practice */
  show(practice) {
    this.practice = practice;
    if (practice === null) return;
    const field = (/** @type {string} */ id) => input(id);
    if (document.activeElement !== field("volume")) field("volume").value = String(practice.volume_db);
    say("volume-value", `${practice.volume_db > 0 ? "+" : ""}${Math.round(practice.volume_db)} dB`);
    field("slowest").value = String(Math.round(100 * practice.slowest));
    field("fastest").value = String(Math.round(100 * practice.fastest));
    const percent = (/** @type {number} */ rate) => `${Math.round(100 * rate)} %`;
    say("slowest-value", Math.round(100 * practice.slowest) <= FREE_SLOWEST ? "free" : percent(practice.slowest));
    say("fastest-value", Math.round(100 * practice.fastest) >= FREE_FASTEST ? "free" : percent(practice.fastest));
    const bars = practice.lead_in_bars ?? 0;
    if (bars > 0) choose("lead-in", `${bars} bars`, `${bars} bars`);
    else choose("lead-in", String(practice.lead_in), `${practice.lead_in} s`);
    choose("beats", String(practice.beats_per_bar ?? 4), String(practice.beats_per_bar));
    this.enableBeats();
    choose("count-in", String(practice.count_in), String(practice.count_in));
    if (document.activeElement !== field("bpm")) field("bpm").value = String(Math.round(practice.beats_per_minute));
    field("tune").checked = practice.tune_to === "piano";
    const cents = (/** @type {number} */ value) => `${value >= 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(0)} cents`;
    const hertz = (/** @type {number} */ value) => `A = ${(440 * 2 ** (value / 1200)).toFixed(1)} Hz`;
    say("piano-tuning", practice.piano_cents === null ? "listening"
      : `${hertz(practice.piano_cents)} \u00b1 ${Math.max(1, Math.round(practice.piano_cents_error ?? 0))} ct`);
    say("recording-tuning", practice.recording_cents === null ? "-" : hertz(practice.recording_cents));
    say("shift", Math.abs(practice.shift_cents) < 0.5 ? "as recorded" : cents(practice.shift_cents));
    const records = practice.recorded !== null;
    button("record").setAttribute("aria-pressed", String(records));
    const length = clockText(practice.recorded ?? 0).replace(/\.\d$/, "");
    button("record").replaceChildren(records ? `Recording ${length} ` : "Record ", make("kbd", "", "R"));
    this.showLoop();
  }

  showLoop() {
    const practice = this.practice;
    const set = practice?.loop_begin != null;
    const words = set ? `Loop ${clockText(practice?.loop_begin ?? 0)}\u2013${clockText(practice?.loop_end ?? 0)} `
      : this.loopFrom === null ? "Loop " : `Loop from ${clockText(this.loopFrom)} to\u2026 `;
    button("loop").replaceChildren(words, make("kbd", "", "L"));
    button("loop").setAttribute("aria-pressed", String(set || this.loopFrom !== null));
  }

  /** @param {MarkerEntry[]} markers */
  showMarkers(markers) {
    this.markers = markers;
    element("no-markers").hidden = markers.length > 0;
    button("export-csv").disabled = button("export-labels").disabled = markers.length === 0;
    element("markers").replaceChildren(...markers.map((marker) => {
      const item = document.createElement("li");
      const go = makeButton("", () => {
        this.resumeIfPaused();
        this.connection.send({ type: "begin_at", marker: marker.name });
      }, "go");
      go.append(make("span", "", marker.name), make("time", "", clockText(marker.orchestra_time)));
      const around = makeButton("\u21bb", () => this.loopFromMarker(marker), "quiet",
        `Loop from ${marker.name} to the next marker`);
      const gone = makeButton("\u00d7", () => this.connection.send({ type: "unmark", name: marker.name }), "quiet",
        `Remove the marker ${marker.name}`);
      for (const found of [go, around, gone]) found.disabled = !this.player.plays;
      item.append(go, around, gone);
      return item;
    }));
  }

  /** @param {TakeEntry[]} takes */
  showTakes(takes) {
    element("no-takes").hidden = takes.length > 0;
    element("takes").replaceChildren(...takes.map((take) => {
      const item = document.createElement("li");
      const about = `${clockText(take.duration).replace(/\.\d$/, "")}, ${(take.size_bytes / 1e6).toFixed(1)} MB`;
      item.append(make("span", "name", take.name.replace(/\.flac$/, "")), make("span", "about", about),
        makeButton("Download", () => this.onTake(take.name), "quiet", `Download ${take.name}`));
      return item;
    }));
  }
}
