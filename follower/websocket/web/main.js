// The practice room: which view is shown, what messages and keys do, and the picture sixty times a second.

import { Connection, keepToken, nowSeconds } from "./connection.js";
import { button, element, find, input, make, say, select } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { LibraryView } from "./library.js";
import { keptSession, Player } from "./player.js";
import { PracticeView } from "./practice.js";
import { situation, sureness } from "./situation.js";
import { Stage } from "./stage.js";
import { download } from "./takes.js";
import { clockText, wholeClockText } from "./time.js";
import { PieceLooks, Timeline } from "./timeline.js";
import { inWords, microphoneWords } from "./words.js";

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").HelloMessage} HelloMessage */

const LOG_LINES = 50;
const LIST_MS = 3000;
const REFUSED_FOR_MS = 10_000; // long enough to be read twice
const EXPECTED_QUIET = new Set(["as asked for", "the session is over"]); // what the page says otherwise, too
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
/** @type {ReturnType<typeof setTimeout> | undefined} */
let forgetting;

/** @param {string} text @param {string} kind */
function log(text, kind = "notice") {
  const line = make("li", kind, text);
  const list = element("log");
  list.prepend(line);
  while (list.children.length > LOG_LINES) list.lastChild?.remove();
}

/**
 * Something a person has to know now.
 * @param {string} text
 * @param {number} [forMs] after which it is no news any more
 */
function problem(text, forMs) {
  say("problem", text);
  element("problem").hidden = text === "";
  if (text !== "") log(text, "error");
  clearTimeout(forgetting);
  if (forMs !== undefined) forgetting = setTimeout(() => problem(""), forMs);
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
  button("to-library").hidden = document.body.dataset.view !== "room" || !hasLibrary;
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
      element("views").hidden = false;
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
      say("sound-state", EXPECTED_QUIET.has(message.reason) ? "" : inWords(message.reason));
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
  if (/ refused: | failed: /.test(text)) problem(inWords(text), REFUSED_FOR_MS);
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
  if (message.message.startsWith(NO_PICTURE)) { // a session without a prepared piece has none
    element("views").hidden = true;
    return;
  }
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

function draw() {
  requestAnimationFrame(draw);
  if (document.body.dataset.view !== "room") return;
  const at = player.now();
  const shown = situation(at, { player, practice, timeline, isOpen: connection.isOpen });
  const duration = player.session?.orchestra_duration ?? timeline.looks?.duration ?? 1;
  say("position", clockText(at ?? 0));
  say("state", shown.words || "\u00a0");
  say("next", shown.next || "\u00a0");
  element("hero").dataset.state = shown.state;
  const position = player.position;
  const { sure, words } = sureness(shown.state, position, connection.isOpen ? timeline.elsewhere : null);
  element("sure-dot").dataset.sure = sure;
  say("sure", words || "\u00a0");
  say("rate", position === null ? "-" : `${position.rate.toFixed(2)} \u00d7`);
  say("latency", position?.latency_ms == null ? "-" : `${position.latency_ms.toFixed(0)} ms`);
  element("key-loop").hidden = practice.practice?.loop_begin == null;
  element("key-perhaps").classList.toggle("unseen", timeline.elsewhere.length === 0);
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
practice.onTake = (recording) => download(chosen, recording, (trouble) => problem(inWords(trouble)));

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
  refresh();
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

listenToKeys({
  " ": () => practice.pause(), a: () => practice.again(), m: () => practice.mark(), l: () => practice.loop(),
  t: () => practice.tap(), r: () => practice.record(),
  s: () => void (stage.isOpen ? stage.close() : stage.open()), escape: () => void stage.close(),
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
