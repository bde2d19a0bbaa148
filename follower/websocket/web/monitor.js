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
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
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
    session = null;
    position = null;
    element("connection").textContent = event.reason ? `disconnected: ${event.reason}` : "disconnected, trying again";
    setTimeout(connect, BACKOFF_MS[Math.min(attempt++, BACKOFF_MS.length - 1)]);
  });
}

function ping() {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ type: "ping", client_time: nowSeconds() }));
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
      endMicrophone();
      break;
    case "error":
      log(message.message, "error");
      if (session === null) endMicrophone();
      break;
  }
}

function takeHello(message) {
  const caches = message.caches ?? [];
  element("sessions").hidden = caches.length === 0;
  if (caches.length > 0) {
    fill(element("cache"), caches);
    send({ type: "list" });
  }
  if (message.session === undefined) return;
  session = message;
  position = null;
  element("duration").textContent = clockText(session.orchestra_duration);
  element("seek").max = String(session.orchestra_duration);
  element("orchestra-bar").max = session.orchestra_duration;
  element("mix-bar").max = session.mix_duration;
  microphone?.start(); // not before the engine is ready: what waits is late
}

function fill(select, names) {
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
  if (position !== null) {
    const place = extrapolated(position.orchestra_time);
    const mix = extrapolated(position.mix_time);
    element("place").textContent = place === null ? "--:--.-" : clockText(place);
    element("orchestra-bar").value = place ?? 0;
    element("mix-bar").value = mix ?? 0;
    element("rate").textContent = position.rate.toFixed(2);
    element("confidence").textContent = `${Math.round(100 * position.confidence)} %`;
    element("confidence-bar").value = position.confidence;
    element("audio-time").textContent = clockText(position.audio_time);
    element("latency").textContent = position.latency_ms === null ? "-" : `${position.latency_ms.toFixed(1)} ms`;
  }
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
  send({ type: "seek", orchestra_time: element("seek").valueAsNumber });
});

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
  session = null;
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
