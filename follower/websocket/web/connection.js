// The WebSocket: it comes back by itself, and knows the server's clock.

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Request} Request */

const PROTOCOL = 1;
const BACKOFF_MS = [200, 500, 1000, 2000, 3000];
const PING_MS = 1000;
const TRIPS_KEPT = 24;
const TOKEN_KEY = "follower-token";

export const nowSeconds = () => performance.now() / 1000;

/** The token: from the address's fragment, which browsers do not send with the page's request, or typed in. */
function knownToken() {
  return new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem(TOKEN_KEY);
}

/** @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
}

export function socketAddress() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  // Where several servers share an address, what has the same room is on the same one (docs/scaling.md).
  const room = new URLSearchParams(location.search).get("room");
  if (room !== null) url.searchParams.set("room", room);
  const token = knownToken();
  if (token !== null) url.searchParams.set("token", token);
  return url;
}

export class Connection {
  constructor() {
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {(message: Message) => void} */
    this.onMessage = () => {};
    /** @type {(data: ArrayBuffer) => void} */
    this.onBytes = () => {};
    /** @type {(state: "connecting" | "connected" | "broken" | "locked") => void} */
    this.onState = () => {};
    this.attempt = 0;
    /** @type {[number, number][]} round trip (s), server's clock minus ours (s) */
    this.trips = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    setInterval(() => this.ping(), PING_MS);
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  /** Server's clock minus ours (s); null before the first answer. */
  get clockOffset() {
    if (this.trips.length === 0) return null;
    return this.trips.reduce((best, trip) => (trip[0] < best[0] ? trip : best))[1];
  }

  connect() {
    clearTimeout(this.retry);
    this.onState("connecting");
    const socket = new WebSocket(socketAddress());
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.attempt = 0;
      this.trips = [];
      this.onState("connected");
      for (let n = 0; n < 5; n += 1) setTimeout(() => this.ping(), 60 * n);
    });
    socket.addEventListener("message", (event) => {
      if (event.data instanceof ArrayBuffer) this.onBytes(event.data);
      else this.take(JSON.parse(event.data));
    });
    socket.addEventListener("close", () => {
      if (socket !== this.socket) return;
      this.socket = null;
      void this.afterClose(opened);
    });
  }

  /** @param {boolean} opened */
  async afterClose(opened) {
    const refused = !opened && (await isRefused());
    this.onState(refused ? "locked" : "broken");
    if (refused) return;
    this.retry = setTimeout(() => this.connect(), BACKOFF_MS[Math.min(this.attempt++, BACKOFF_MS.length - 1)]);
  }

  /** @param {Message} message */
  take(message) {
    if (message.type === "pong") {
      const received = nowSeconds();
      const trip = received - message.client_time;
      this.trips.push([trip, message.monotonic_time - (received + message.client_time) / 2]);
      this.trips = this.trips.slice(-TRIPS_KEPT);
    }
    if (message.type === "hello" && message.protocol !== PROTOCOL) {
      this.onState("broken");
      return;
    }
    this.onMessage(message);
  }

  ping() {
    this.send({ type: "ping", client_time: nowSeconds() });
  }

  /**
   * @param {Request} request
   * @returns {boolean} whether it could be sent
   */
  send(request) {
    if (this.socket === null || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(request));
    return true;
  }
}

/** Whether the server is there and does not let us in: browsers do not say why a WebSocket failed. */
async function isRefused() {
  try {
    const url = new URL("access", location.href);
    const token = knownToken();
    url.hash = "";
    const answer = await fetch(url, token === null ? {} : { headers: { Authorization: `Bearer ${token}` } });
    return answer.status === 403;
  } catch {
    return false;
  }
}
