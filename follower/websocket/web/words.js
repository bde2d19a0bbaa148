// What happened, as a pianist would say it.

import { clockText } from "./time.js";

/** @type {Record<string, string>} */
export const STATES = {
  waiting: "Play when you like",
  following: "Following you",
  orchestra: "The orchestra plays",
  paused: "Waiting for you",
  lost: "Looking for you",
  ended: "The end",
};

/**
 * A server's sentence without the protocol's words, and with its seconds as minutes and seconds.
 * @param {string} message
 */
export function inWords(message) {
  const text = message
    .replace(/^[\w.]+(\.\w+)*: /, "")
    .replace(/^(\w+) refused: /, "")
    .replace(/\b(\d+(?:\.\d+)?) s\b/g, (whole, seconds) => (Number(seconds) >= 60 ? clockText(Number(seconds)) : whole))
    .replace(/\(0\.\.(\S+)\)/, "(it ends at $1)");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {unknown} error */
export function microphoneWords(error) {
  if (error instanceof DOMException && error.name === "NotAllowedError") {
    return "The browser does not let this page hear the microphone. Allow it in the address bar, then sit down again.";
  }
  if (error instanceof DOMException && error.name === "NotFoundError") return "No microphone is connected.";
  if (error instanceof DOMException && error.name === "NotReadableError") {
    return "Another program holds the microphone. Close it, then sit down again.";
  }
  return `No microphone: ${error instanceof Error ? error.message : String(error)}`;
}
