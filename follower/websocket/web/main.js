// The practice room: which view is shown, what messages and keys do, and the picture sixty times a second.

import { Connection, keepToken, nowSeconds, socketAddress } from "./connection.js";
import { button, element, find, input, make, save, say, select } from "./dom.js";
import { LibraryView } from "./library.js";
import { keptSession, Player } from "./player.js";
import { PracticeView } from "./practice.js";
import { Stage } from "./stage.js";
import { clockText, wholeClockText } from "./time.js";
import { PieceLooks, Timeline } from "./timeline.js";
import { inWords, microphoneWords, STATES } from "./words.js";

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").HelloMessage} HelloMessage */

const LOG_LINES = 50;
const LIST_MS = 3000;
const SURE = 0.8;
const UNSURE = 0.5;
const COUNTDOWN_S = 90;
const NO_PICTURE = "no session is watched";
const SERVER_ENDS = "the server ends";
const NO_LIBRARY = "this server has one piece and no library; use follower serve";

const connection = new Connection();
const player = new Player(connection);
const practice = new PracticeView(connection, player);
const stage = new Stage();
const library = new LibraryView(connection, openPiece);
const timeline = new Timeline(find("overview", HTMLCanvasElement), find("zoom", HTMLCanvasElement), (at) => {
  if (player.session !== null) practice.begin(at);
  else input("begin-at").value = clockText(at);
});

let hasLibrary = false; // whoever follows its own microphone has none
let askedLibrary = false;
let chosen = ""; // the piece that is open
let said = "";

/** @param {string} text @param {string} kind */
function log(text, kind = "notice") {
  const line = make("li", kind, text);
  const list = element("log");
  list.prepend(line);
  while (list.children.length > LOG_LINES) list.lastChild?.remove();
}

/** Something a person has to know now. @param {string} text */
function problem(text) {
  say("problem", text);
  element("problem").hidden = text === "";
  if (text !== "") log(text, "error");
}

/** For those who listen to the page. @param {string} text */
function announce(text) {
  if (text === said) return;
  said = text;
  say("live", text);
}

/** @param {"library" | "room" | "locked"} view */
function show(view) {
  document.body.dataset.view = view;
  element("library").hidden = view !== "library";
  element("room").hidden = view !== "room";
  element("locked").hidden = element("token-form").hidden = view !== "locked";
  button("to-library").hidden = view !== "room" || !hasLibrary;
  button("stage-open").hidden = view !== "room";
  if (view === "library") {
    say("title", "Concerto Follower");
    document.title = "Concerto Follower";
  }
}

/** @param {string} piece */
function openPiece(piece) {
  if (player.plays && player.piece !== piece) standUp();
  chosen = piece;
  player.session = player.plays ? player.session : null;
  name(piece);
  problem("");
  timeline.show(null);
  practice.showMarkers([]);
  show("room");
  connection.send({ type: "overview", piece });
  refresh();
}

/** @param {string} piece */
function name(piece) {
  say("title", piece || "Concerto Follower");
  document.title = piece === "" ? "Concerto Follower" : `${piece} - Concerto Follower`;
}

/** Buttons and words that follow from what is the case. */
function refresh() {
  const { plays, session } = player;
  const here = session !== null && connection.isOpen;
  practice.enable(here);
  const kept = keptSession();
  const mayGoOn = !plays && kept !== null && kept.piece === chosen;
  button("sit").hidden = plays || !hasLibrary;
  button("sit").disabled = !connection.isOpen || chosen === "";
  button("go-on").hidden = !mayGoOn || !hasLibrary;
  button("go-on").disabled = !connection.isOpen;
  if (mayGoOn) button("go-on").textContent = kept.position === null ? "Go on" : `Go on at ${clockText(kept.position)}`;
  button("sit").classList.toggle("main-action", !mayGoOn);
  button("end").hidden = !hasLibrary;
  element("level-box").hidden = !hasLibrary; // another device's microphone is not seen from here
  button("end").disabled = !plays;
  input("listen").disabled = !here;
}

/** @param {number | null} start @param {string} [resume] */
async function sitDown(start, resume) {
  problem("");
  button("sit").disabled = button("go-on").disabled = true;
  try {
    await player.sit(chosen, start, resume);
  } catch (error) {
    player.microphone = null;
    problem(microphoneWords(error));
  }
  refresh();
}

function standUp() {
  player.standUp();
  player.session = null;
  player.position = null;
  find("level", HTMLMeterElement).value = -60;
  practice.paused = false;
  practice.showPause();
  timeline.practise(null);
  timeline.elsewhere = [];
  refresh();
}

/** @param {HelloMessage} hello */
function takeHello(hello) {
  if (hello.caches !== undefined) {
    if (hello.caches.length > 0) {
      hasLibrary = true;
      library.showNames(hello.caches);
    }
    if (!askedLibrary) askedLibrary = connection.send({ type: "library" });
  }
  if (hello.session === undefined) {
    if (document.body.dataset.view === "locked") show(chosen === "" ? "library" : "room");
    refresh();
    return;
  }
  const other = hello.session !== player.session?.session || player.anew;
  player.anew = false;
  player.begin(hello);
  if (!player.plays || chosen === "") {
    chosen = hello.piece ?? "";
    name(chosen);
    show("room");
  }
  say("duration", clockText(hello.orchestra_duration ?? 0));
  if (other) {
    connection.send({ type: "overview" });
    if (player.plays && player.listening) void player.listen();
  }
  problem("");
  refresh();
}

/** @param {Message} message */
function take(message) {
  switch (message.type) {
    case "hello":
      takeHello(message);
      break;
    case "position":
      player.move(message);
      if (button("mark").disabled !== (message.orchestra_time === null)) refresh();
      break;
    case "list":
      fill("session", message.sessions.filter((session) => session !== player.session?.session));
      break;
    case "library":
      hasLibrary = true;
      library.show(message);
      refresh();
      break;
    case "overview":
      if (chosen !== "" && message.piece !== chosen) break;
      timeline.show(new PieceLooks(message));
      element("key-cut").hidden = message.cuts.length === 0;
      timeline.mark(message.markers);
      practice.showMarkers(message.markers);
      practice.showTakes(message.takes);
      say("duration", clockText(message.orchestra_duration));
      break;
    case "elsewhere":
      timeline.elsewhere = message.places;
      break;
    case "markers":
      timeline.mark(message.markers);
      practice.showMarkers(message.markers);
      break;
    case "practice":
      takePractice(message);
      break;
    case "sound":
      player.sound?.begin(message.stream);
      input("listen").checked = true;
      say("sound-state", "");
      break;
    case "quiet":
      player.sound?.end();
      input("listen").checked = false;
      say("sound-state", message.reason === "as asked for" ? "" : inWords(message.reason));
      break;
    case "state":
      log(`${clockText(message.audio_time)} ${message.state}: ${message.reason}`);
      break;
    case "jump":
      log(`${clockText(message.audio_time)} from ${clockText(message.from)} to ${clockText(message.to)}`);
      break;
    case "gap":
      log(`${clockText(message.audio_time)} ${message.lost_samples} samples of the microphone were lost`);
      break;
    case "notice":
      takeNotice(message.message);
      break;
    case "ended":
      log(`The session is over: ${message.reason}`);
      if (message.session === player.session?.session) takeEnd(message.reason);
      break;
    case "error":
      takeError(message);
      break;
    case "pong":
    case "uploaded":
    case "fetched":
      break;
  }
}

/** @param {import("./protocol.js").PracticeMessage} message */
function takePractice(message) {
  const before = practice.practice;
  practice.show(message);
  timeline.practise(message);
  if (before?.recorded != null && message.recorded === null) connection.send({ type: "overview" });
  refresh();
}

/** @param {string} text */
function takeNotice(text) {
  if (/ refused: | failed: /.test(text)) problem(inWords(text));
  else log(inWords(text));
}

/** @param {string} reason */
function takeEnd(reason) {
  if (player.plays && reason === SERVER_ENDS) return; // it may come back, and we go on then
  if (player.plays) {
    player.standUp(true);
    problem(`The session has ended: ${reason}. Sit down again to go on.`);
  }
  player.session = null;
  player.position = null;
  timeline.elsewhere = [];
  refresh();
}

/** @param {{ code: string, message: string }} message */
function takeError(message) {
  if (!hasLibrary && message.message === NO_LIBRARY) {
    if (chosen === "") show("room");
    return;
  }
  if (message.message.startsWith(NO_PICTURE)) return; // a session without a prepared piece has none
  if (message.code === "unknown_session" && player.resuming) {
    player.openAnew();
    return;
  }
  if (message.code === "invalid" && player.resuming) {
    player.openAnew(); // another microphone than before
    return;
  }
  problem(inWords(message.message));
  if (player.session === null && player.plays) {
    player.standUp(true);
    refresh();
  }
}

/** @param {string} id @param {string[]} names */
function fill(id, names) {
  element("others").hidden = names.length === 0;
  const field = select(id);
  if (names.join("\n") === [...field.options].map((option) => option.value).join("\n")) return; // it may be open
  const value = field.value;
  field.replaceChildren(...names.map((entry) => new Option(entry, entry, false, entry === value)));
}

/** The words beside the clock, from what the server says and what the piece looks like. @param {number | null} at */
function words(at) {
  const state = player.state;
  const sounding = practice.practice?.sounding ?? "";
  if (player.session === null) return { state: "none", words: player.plays ? "One moment" : "", next: "" };
  if (!connection.isOpen) return { state: "lost", words: "Connecting again", next: "The place is kept." };
  if (sounding === "count_in") return { state: "waiting", words: "Get ready", next: "" };
  if (sounding === "lead_in") {
    const start = practice.practice?.start ?? 0;
    return { state: "orchestra", words: "The orchestra leads in", next: `you begin at ${clockText(start)}` };
  }
  if (practice.paused) return { state: "paused", words: "On hold", next: "Space goes on" };
  let next = "";
  if (at !== null && timeline.looks !== null && (state === "orchestra" || timeline.looks.pianoRests(at))) {
    const entry = timeline.looks.nextEntry(at);
    const rate = player.position?.rate || 1;
    const left = entry === null ? Infinity : (entry - at) / Math.max(rate, 0.2);
    if (left < COUNTDOWN_S) next = `your entry in ${Math.ceil(left)} s`;
  }
  return { state: state ?? "none", words: STATES[state ?? ""] ?? "", next };
}

function draw() {
  requestAnimationFrame(draw);
  if (document.body.dataset.view !== "room") return;
  const at = player.now();
  const shown = words(at);
  const duration = player.session?.orchestra_duration ?? timeline.looks?.duration ?? 1;
  say("position", clockText(at ?? 0));
  say("state", shown.words || "\u00a0");
  say("next", shown.next || "\u00a0");
  element("hero").dataset.state = shown.state;
  const position = player.position;
  const rests = shown.state !== "following" && shown.state !== "lost";
  const sure = position === null || rests ? "none" : position.confidence >= SURE ? "high"
    : position.confidence >= UNSURE ? "middle" : "low";
  element("sure-dot").dataset.sure = sure;
  const others = timeline.elsewhere.map((place) => clockText(place.orchestra_time)).join(" or ");
  const doubt = others === "" || sure === "none" ? "" : `, perhaps at ${others}`;
  say("sure", { none: "\u00a0", high: "sure of your place", middle: "fairly sure", low: "unsure" }[sure] + doubt);
  say("rate", position === null ? "-" : `${position.rate.toFixed(2)} \u00d7`);
  say("latency", position?.latency_ms == null ? "-" : `${position.latency_ms.toFixed(0)} ms`);
  timeline.draw(nowSeconds(), at, position?.rate ?? 0);
  stage.show({ piece: chosen, state: shown.state, words: shown.words, clock: wholeClockText(at ?? 0), next: shown.next,
    share: (at ?? 0) / duration });
  announce(shown.next === "" ? shown.words : `${shown.words}. ${shown.next.replace(/\d+ s$/, "a moment")}`);
}

connection.onMessage = take;
/** @param {ArrayBuffer} data */
connection.onBytes = (data) => player.sound?.take(data);
/** @param {"connecting" | "connected" | "broken" | "locked"} state */
connection.onState = (state) => {
  element("connection-dot").dataset.state = state;
  const texts = { connecting: "connecting", connected: "connected", broken: "no connection, trying again",
    locked: "locked" };
  say("connection", texts[state]);
  if (state === "locked") {
    show("locked");
    input("token").focus();
  }
  if (state === "connected") {
    askedLibrary = false;
    if (document.body.dataset.view === "locked") show("library");
    player.reconnect();
    if (chosen !== "") connection.send({ type: "overview", piece: chosen });
  }
  if (state === "broken" && !player.plays) player.session = null;
  refresh();
};
/** @param {number} level (dB) */
player.onLevel = (level) => { find("level", HTMLMeterElement).value = Math.max(-60, level); };
player.onMicrophoneGone = () => {
  problem("The microphone has gone away. Connect it and sit down again.");
  refresh();
};

/** @param {string} recording */
practice.onTake = (recording) => void download(recording);

/** @param {string} recording */
async function download(recording) {
  const socket = new WebSocket(socketAddress());
  socket.binaryType = "arraybuffer";
  /** @type {ArrayBuffer[]} */
  const parts = [];
  socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "fetch", take: recording, piece: chosen })));
  socket.addEventListener("message", (event) => {
    if (event.data instanceof ArrayBuffer) {
      parts.push(event.data);
      return;
    }
    /** @type {Message} */
    const message = JSON.parse(event.data);
    if (message.type === "error") problem(inWords(message.message));
    if (message.type === "fetched") save(new Blob(parts, { type: "audio/flac" }), `${chosen} ${recording}`);
    if (message.type === "error" || message.type === "fetched") socket.close(1000);
  });
}

button("sit").addEventListener("click", () => {
  const start = input("begin-at").value.trim() === "" ? null : practice.place("begin-at", "begin-trouble");
  void sitDown(start);
});
button("go-on").addEventListener("click", () => {
  const kept = keptSession();
  if (kept === null) return;
  player.position = null;
  void sitDown(kept.position, kept.session);
});
button("end").addEventListener("click", standUp);
button("to-library").addEventListener("click", () => {
  if (player.plays && !confirm("Stop playing?")) return;
  if (player.plays) standUp();
  chosen = "";
  show("library");
});
input("listen").addEventListener("change", () => {
  player.listening = input("listen").checked;
  if (player.listening) void player.listen();
  else connection.send({ type: "unlisten" });
});
input("late").value = localStorage.getItem("follower-late-ms") ?? "0";
input("late").addEventListener("change", () => {
  const late = Math.max(0, Math.min(600, Number(input("late").value) || 0));
  if (player.sound !== null) player.sound.setLate(late);
  else localStorage.setItem("follower-late-ms", String(late));
});
element("watch-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (select("session").value) connection.send({ type: "watch", session: select("session").value });
});
element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(input("token").value.trim());
  say("token-trouble", "That was not it, or the server is busy. Look again, and mind upper and lower case.");
  connection.connect();
});
button("stage-open").addEventListener("click", () => void stage.open());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.view !== "room") return;
  const target = event.target;
  const types = target instanceof HTMLInputElement && !["checkbox", "range"].includes(target.type);
  if (types || target instanceof HTMLSelectElement) return;
  if (event.key === " " && (target instanceof HTMLButtonElement || target instanceof HTMLInputElement
    || (target instanceof HTMLElement && target.tagName === "SUMMARY"))) return;
  /** @type {Record<string, () => void>} */
  const keys = {
    " ": () => practice.pause(), a: () => practice.again(), m: () => practice.mark(), l: () => practice.loop(),
    t: () => practice.tap(),
    r: () => practice.record(), s: () => void (stage.isOpen ? stage.close() : stage.open()),
    escape: () => void stage.close(),
  };
  const action = keys[event.key.toLowerCase()];
  if (action === undefined || event.repeat) return;
  event.preventDefault();
  action();
});

setInterval(() => {
  if (!connection.isOpen) return;
  connection.send({ type: "list" }); // others begin and end sessions
  const sound = player.sound;
  say("output-latency", sound === null || !sound.begun ? "-" : `${sound.latencyMs.toFixed(0)} ms`);
}, LIST_MS);

const kept = keptSession();
if (kept !== null) {
  chosen = kept.piece;
  name(chosen);
  show("room");
  player.listening = kept.listen;
  void goOnByItself(kept.position, kept.session);
}
show(chosen === "" ? "library" : "room");
connection.connect();
requestAnimationFrame(draw);

/**
 * After a reload, where the browser lets us hear the microphone without asking.
 * @param {number | null} position
 * @param {string} session
 */
async function goOnByItself(position, session) {
  try {
    const permission = await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") });
    if (permission.state !== "granted") return;
  } catch {
    return; // this browser does not say; the button goes on
  }
  for (let n = 0; n < 100 && !connection.isOpen; n += 1) await new Promise((resolve) => { setTimeout(resolve, 100); });
  await sitDown(position, session);
}
