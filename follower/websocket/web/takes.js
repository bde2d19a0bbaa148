// Recordings of sessions, fetched over a socket of their own.

import { socketAddress } from "./connection.js";
import { save } from "./dom.js";

/** @typedef {import("./protocol.js").Message} Message */

/**
 * Let the pianist save a recording.
 * @param {string} piece
 * @param {string} take
 * @param {(message: string) => void} onTrouble
 */
export function download(piece, take, onTrouble) {
  const socket = new WebSocket(socketAddress());
  socket.binaryType = "arraybuffer";
  /** @type {ArrayBuffer[]} */
  const parts = [];
  socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "fetch", take, piece })));
  socket.addEventListener("message", (event) => {
    if (event.data instanceof ArrayBuffer) {
      parts.push(event.data);
      return;
    }
    /** @type {Message} */
    const message = JSON.parse(event.data);
    if (message.type === "error") onTrouble(message.message);
    if (message.type === "fetched") save(new Blob(parts, { type: "audio/flac" }), `${piece} ${take}`);
    if (message.type === "error" || message.type === "fetched") socket.close(1000);
  });
}
