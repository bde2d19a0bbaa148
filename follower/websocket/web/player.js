// A session at the piano: microphone, orchestra and position, and how it is taken up again when it was interrupted.

import { nowSeconds } from "./connection.js";
import { Microphone } from "./microphone.js";
import { OrchestraSound } from "./sound.js";

/** @typedef {import("./protocol.js").HelloMessage} HelloMessage */
/** @typedef {import("./protocol.js").PositionMessage} PositionMessage */

const MOVING = new Set(["following", "orchestra"]);
const MAX_EXTRAPOLATION_S = 1.0;
const KEPT_KEY = "follower-session";
const KEPT_FOR_S = 4 * 3600;

/** @typedef {{ session: string, piece: string, position: number | null, at: number, listen: boolean }} Kept */

/** What a page loaded before was playing, or null. @returns {Kept | null} */
export function keptSession() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT_KEY) ?? "null");
    return kept !== null && Date.now() / 1000 - kept.at < KEPT_FOR_S ? kept : null;
  } catch {
    return null;
  }
}

export class Player {
  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    this.connection = connection;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {Microphone | null} */
    this.microphone = null;
    /** @type {OrchestraSound | null} */
    this.sound = null;
    /** @type {HelloMessage | null} the session that is watched */
    this.session = null;
    /** @type {PositionMessage | null} */
    this.position = null;
    this.piece = "";
    this.listening = true;
    this.resuming = false;
    /** Whether the next session is a new one, whatever its name: a server that was started again counts from s1. */
    this.anew = false;
    /** @type {(level_db: number) => void} */
    this.onLevel = () => {};
    /** @type {() => void} */
    this.onMicrophoneGone = () => {};
  }

  /** Whether this page is the piano. */
  get plays() {
    return this.microphone !== null;
  }

  async audio() {
    if (this.context === null) {
      const context = new AudioContext({ latencyHint: "interactive" });
      await Promise.all(["capture-worklet.js", "sound-worklet.js"].map((file) => context.audioWorklet.addModule(file)));
      this.context = context;
    }
    await this.context.resume();
    return this.context;
  }

  /**
   * Open the microphone and a session.
   * @param {string} piece
   * @param {number | null} start where the pianist begins (s), if known
   * @param {string} [resume] session to go on with
   */
  async sit(piece, start, resume) {
    const context = await this.audio();
    const onGone = () => {
      this.standUp(true);
      this.onMicrophoneGone();
    };
    const level = (/** @type {number} */ db) => this.onLevel(db);
    this.microphone = await Microphone.open(context, this.connection, level, onGone);
    this.piece = piece;
    this.open(start, resume);
  }

  /**
   * @param {number | null} start
   * @param {string} [resume]
   */
  open(start, resume) {
    if (this.microphone === null) return;
    this.microphone.sending = false;
    this.resuming = resume !== undefined;
    this.connection.send({
      type: "audio", cache: this.piece, sample_rate: this.microphone.sampleRate, format: "f32le", channels: 1,
      ...(start === null ? {} : { start }), ...(resume === undefined ? {} : { resume }),
    });
  }

  /** The connection is back: go on with the session, if it is still there. */
  reconnect() {
    if (this.plays && this.session?.session !== undefined) this.open(this.now(), this.session.session);
    else if (this.plays) this.open(this.now());
  }

  /** The server does not have the session any more: a new one goes on where we are. */
  openAnew() {
    this.anew = true;
    this.open(this.now() ?? keptSession()?.position ?? null);
  }

  /** @param {HelloMessage} hello of a session */
  begin(hello) {
    const restarted = hello.session !== this.session?.session;
    this.session = hello;
    if (restarted) this.position = null;
    if (this.microphone !== null) {
      if (!this.microphone.sending) this.microphone.begin(); // not before the engine is ready: what waits is late
      this.resuming = false;
    }
    this.keep();
  }

  async listen() {
    const context = await this.audio();
    this.sound ??= new OrchestraSound(context, this.connection);
    this.sound.ask();
  }

  /** @param {PositionMessage} position */
  move(position) {
    this.position = position;
    if (position.seq % 20 === 0) this.keep();
  }

  keep() {
    if (!this.plays || this.session?.session === undefined) return;
    /** @type {Kept} */
    const kept = { session: this.session.session, piece: this.piece, at: Date.now() / 1000, listen: this.listening,
      position: this.position?.orchestra_time ?? keptSession()?.position ?? null };
    sessionStorage.setItem(KEPT_KEY, JSON.stringify(kept));
  }

  /** @param {boolean} [away] the microphone went away, the session may go on */
  standUp(away = false) {
    if (!away) this.connection.send({ type: "end" });
    sessionStorage.removeItem(KEPT_KEY);
    this.microphone?.close();
    this.microphone = null;
    this.sound?.end();
  }

  /** Where the orchestra stands now (s); null while unknown. */
  now() {
    const position = this.position;
    if (position === null || position.orchestra_time === null) return null;
    const offset = this.connection.clockOffset;
    if (!MOVING.has(position.state) || position.capture_time === null || offset === null) return position.orchestra_time;
    const age = Math.min(Math.max(nowSeconds() + offset - position.capture_time, 0), MAX_EXTRAPOLATION_S);
    return Math.min(position.orchestra_time + position.rate * age, this.session?.orchestra_duration ?? Infinity);
  }

  get state() {
    return this.position?.state ?? (this.session === null ? null : "waiting");
  }
}
