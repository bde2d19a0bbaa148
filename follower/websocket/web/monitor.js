// The monitor page: shows where the follower is, sends commands and the browser's microphone. See docs/protocol.md.

import { Microphone } from "./microphone.js";

const PROTOCOL = 1;
const MOVING = new Set(["following", "orchestra"]);
const MAX_EXTRAPOLATION_S = 1.0;
const BACKOFF_MS = [200, 500, 1000, 2000, 5000];
const LOG_LINES = 50;
const PING_MS = 2000;

const element = (id) => document.getElementById(id);
const nowSeconds = () => performance.now() / 1000;

let socket = null;
let attempt = 0;
let session = null; // the hello message of the watched session
let position = null;
let trips = []; // [round trip (s), server clock minus ours (s)]
let microphone = null;

function clockText(seconds) {
  const tenths = Math.round(10 * seconds); // first, or 59.96 s would be 0:60.0
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

// Seconds of "1:30.5", "90.5" or "90,5"; null for anything else.
function secondsOf(text) {
  const found = /^(?:(\d+):(?=[0-5]?\d(?:\D|$)))?(\d+(?:[.,]\d+)?)$/.exec(text.trim());
  return found === null ? null : 60 * Number(found[1] ?? 0) + Number(found[2].replace(",", "."));
}

function log(text, kind = "notice") {
  const line = document.createElement("li");
  line.textContent = text;
  line.className = kind;
  const list = element("log");
  list.prepend(line);
  while (list.children.length > LOG_LINES) list.lastChild.remove();
}

function send(message) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) {
    log("not connected", "error");
    return false;
  }
  socket.send(JSON.stringify(message));
  return true;
}

function address() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  // The token stays in the fragment, which browsers do not send with the page's request.
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  url.hash = "";
  if (token !== null) url.searchParams.set("token", token);
  return url;
}

function connect() {
  socket = new WebSocket(address());
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => {
    attempt = 0;
    trips = [];
    element("connection").textContent = "connected";
    ping();
  });
  socket.addEventListener("message", (event) => take(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    endMicrophone();
    watch(null);
    element("connection").textContent = event.reason ? `disconnected: ${event.reason}` : "disconnected, trying again";
    setTimeout(connect, BACKOFF_MS[Math.min(attempt++, BACKOFF_MS.length - 1)]);
  });
}

function ping() {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ type: "ping", client_time: nowSeconds() }));
  if (!element("sessions").hidden) socket.send(JSON.stringify({ type: "list" })); // others begin and end sessions
  setTimeout(ping, PING_MS);
}

function take(message) {
  switch (message.type) {
    case "hello":
      if (message.protocol !== PROTOCOL) {
        log(`the server speaks protocol ${message.protocol}, this page ${PROTOCOL}: reload it`, "error");
        return;
      }
      takeHello(message);
      break;
    case "position":
      position = message;
      break;
    case "pong": {
      const received = nowSeconds();
      trips.push([received - message.client_time, message.monotonic_time - (received + message.client_time) / 2]);
      trips = trips.slice(-16);
      break;
    }
    case "list":
      fill(element("session"), message.sessions);
      element("session").disabled = element("watch").disabled = message.sessions.length === 0;
      fill(element("cache"), message.caches);
      break;
    case "state":
      log(`${clockText(message.audio_time)} ${message.state}: ${message.reason}`);
      break;
    case "jump":
      log(`${clockText(message.audio_time)} jump from ${clockText(message.from)} to ${clockText(message.to)}`);
      break;
    case "gap":
      log(`${clockText(message.audio_time)} ${message.lost_samples} samples lost`);
      break;
    case "notice":
      log(message.message);
      break;
    case "ended":
      log(`session ${message.session} ended: ${message.reason}`);
      element("controls").disabled = true;
      endMicrophone();
      break;
    case "error":
      log(message.message, "error");
      if (session === null) endMicrophone();
      break;
  }
}

function takeHello(message) {
  // A session's own hello, when it begins or restarts, does not list the caches again.
  if (message.caches !== undefined) {
    element("sessions").hidden = message.caches.length === 0;
    if (message.caches.length > 0) {
      fill(element("cache"), message.caches);
      send({ type: "list" });
    }
  }
  if (message.session === undefined) return;
  watch(message);
  microphone?.start(); // not before the engine is ready: what waits is late
}

// Show another session, or none.
function watch(hello) {
  session = hello;
  position = null;
  const piece = session?.piece ?? "";
  element("piece").textContent = piece;
  document.title = piece === "" ? "Concerto Follower" : `${piece} - Concerto Follower`;
  element("controls").disabled = session === null;
  element("duration").textContent = session === null ? "--:--" : clockText(session.orchestra_duration);
  element("orchestra-bar").max = session?.orchestra_duration ?? 1;
  element("mix-bar").max = session?.mix_duration ?? 1;
}

function fill(select, names) {
  if (names.join("\n") === [...select.options].map((option) => option.value).join("\n")) return; // it may be open
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
}

// orchestra_time + rate * (now - capture_time), held outside the moving states and after a second without news.
function extrapolated(time) {
  if (time === null) return null;
  if (!MOVING.has(position.state) || position.capture_time === null || trips.length === 0) return time;
  const offset = trips.reduce((best, trip) => (trip[0] < best[0] ? trip : best))[1];
  const age = Math.min(Math.max(nowSeconds() + offset - position.capture_time, 0), MAX_EXTRAPOLATION_S);
  return time + position.rate * age;
}

function draw() {
  const known = position !== null;
  const orchestra = known ? extrapolated(position.orchestra_time) : null;
  const latency = position?.latency_ms ?? null;
  element("position").textContent = orchestra === null ? "--:--.-" : clockText(orchestra);
  element("orchestra-bar").value = orchestra ?? 0;
  element("mix-bar").value = (known ? extrapolated(position.mix_time) : null) ?? 0;
  element("rate").textContent = known ? `${position.rate.toFixed(2)} \u00d7` : "-";
  element("confidence").textContent = known ? `${Math.round(100 * position.confidence)} %` : "-";
  element("confidence-bar").value = position?.confidence ?? 0;
  element("audio-time").textContent = known ? clockText(position.audio_time) : "-";
  element("latency").textContent = latency === null ? "-" : `${latency.toFixed(1)} ms`;
  const state = position?.state ?? (session === null ? "no session" : "waiting");
  if (element("state").textContent !== state) {
    element("state").textContent = state;
    element("state").dataset.state = state;
  }
  requestAnimationFrame(draw);
}

function endMicrophone() {
  const ending = microphone;
  microphone = null;
  ending?.close();
  element("microphone").disabled = false;
  element("microphone-end").disabled = true;
  element("level").value = -60;
}

for (const command of ["pause", "resume", "start", "stop"]) {
  element(command).addEventListener("click", () => send({ type: command }));
}

element("seek-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = element("seek");
  const seconds = secondsOf(input.value);
  input.setCustomValidity("");
  if (seconds === null) input.setCustomValidity("Minutes and seconds of the orchestra recording, as in 1:30");
  else if (seconds > session.orchestra_duration) {
    input.setCustomValidity(`The orchestra recording ends at ${clockText(session.orchestra_duration)}`);
  }
  if (input.reportValidity()) send({ type: "seek", orchestra_time: seconds });
});

element("seek").addEventListener("input", () => element("seek").setCustomValidity(""));

element("watch-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (element("session").value) send({ type: "watch", session: element("session").value });
});

element("microphone-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  element("microphone").disabled = true;
  try {
    microphone = await Microphone.open(
      () => socket,
      (level) => { element("level").value = Math.max(-60, level); },
    );
  } catch (error) {
    log(`no microphone: ${error.message}`, "error");
    endMicrophone();
    return;
  }
  const { sampleRate } = microphone;
  watch(null);
  if (send({ type: "audio", cache: element("cache").value, sample_rate: sampleRate, format: "f32le", channels: 1 })) {
    element("microphone-end").disabled = false;
  } else {
    endMicrophone();
  }
});

element("microphone-end").addEventListener("click", () => {
  send({ type: "end" });
  endMicrophone();
});

connect();
requestAnimationFrame(draw);
