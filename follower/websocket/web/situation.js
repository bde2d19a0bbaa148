// What is going on, in a few words for the pianist.

import { clockText, wholeClockText } from "./time.js";
import { STATES } from "./words.js";

/** @typedef {import("./protocol.js").PositionMessage} PositionMessage */
/** @typedef {import("./protocol.js").PlaceEntry} PlaceEntry */

const SURE = 0.8;
const UNSURE = 0.5;
const COUNTDOWN_S = 90;
const SLOWEST = 0.2; // a position that stands still gives no time to the entry
const NAMED = 2; // of the other places, in words: they fit into one line of a phone

/**
 * @typedef {object} Room
 * @property {import("./player.js").Player} player
 * @property {import("./practice.js").PracticeView} practice
 * @property {import("./timeline.js").Timeline} timeline
 * @property {boolean} isOpen whether the server is there
 */

/**
 * What stands beside the clock, from what the server says and what the piece looks like.
 * @param {number | null} at where the orchestra stands (s)
 * @param {Room} room
 * @returns {{ state: string, words: string, next: string }} the state gives the colour
 */
export function situation(at, { player, practice, timeline, isOpen }) {
  const sounding = practice.practice?.sounding ?? "";
  if (player.session === null) return { state: "none", words: player.plays ? "One moment" : "", next: "" };
  if (!isOpen) return { state: "lost", words: "Connecting again", next: "The place is kept." };
  if (sounding === "count_in") return { state: "waiting", words: "Get ready", next: "" };
  if (sounding === "lead_in") {
    const start = practice.practice?.start ?? 0;
    return { state: "orchestra", words: "The orchestra leads in", next: `you begin at ${clockText(start)}` };
  }
  if (practice.paused) return { state: "paused", words: "On hold", next: "" };
  const state = player.state ?? "none";
  return { state, words: STATES[state] ?? "", next: countdown(at, state, player.position?.rate ?? 1, timeline.looks) };
}

/**
 * How long it is to the pianist's next entry, while the piano rests.
 * @param {number | null} at
 * @param {string} state
 * @param {number} rate
 * @param {import("./timeline.js").PieceLooks | null} looks
 */
function countdown(at, state, rate, looks) {
  if (at === null || looks === null || (state !== "orchestra" && !looks.pianoRests(at))) return "";
  const entry = looks.nextEntry(at);
  const left = entry === null ? Infinity : (entry - at) / Math.max(rate || 1, SLOWEST);
  return left < COUNTDOWN_S ? `your entry in ${Math.ceil(left)} s` : "";
}

/**
 * How sure the follower is; nothing while the piano rests or nobody can say.
 * @param {string} state
 * @param {PositionMessage | null} position
 * @param {PlaceEntry[] | null} elsewhere where else it might be; null without a connection
 * @returns {{ sure: "none" | "low" | "middle" | "high", words: string }}
 */
export function sureness(state, position, elsewhere) {
  const plays = state === "following" || state === "lost";
  if (!plays || position === null || elsewhere === null) return { sure: "none", words: "" };
  const others = elsewhere.slice(0, NAMED).map((place) => wholeClockText(place.orchestra_time)).join(" or ");
  const doubt = others === "" ? "" : `, perhaps at ${others}`;
  if (state === "lost" || position.confidence < UNSURE) return { sure: "low", words: `unsure${doubt}` };
  if (position.confidence < SURE) return { sure: "middle", words: `fairly sure${doubt}` };
  return { sure: "high", words: `sure of your place${doubt}` };
}
