// Bringing recordings: over a socket of their own, so that a performance is not held up.

import { socketAddress } from "./connection.js";

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Prepare} Prepare */

const PART_BYTES = 128 * 1024;
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** @template {string} R
 * @param {Partial<Record<R, File>>} files
 * @param {(share: number, name: string) => void} onProgress
 * @param {(names: Partial<Record<R, string>>) => Prepare} request made when all have come
 * @returns {Promise<boolean>} whether the request was sent; rejected with the server's words
 */
export async function upload(files, onProgress, request) {
  const socket = new WebSocket(socketAddress());
  /** @type {Message[]} */
  const arrived = [];
  /** @type {() => void} */
  let wake = () => {};
  socket.addEventListener("message", (event) => {
    arrived.push(JSON.parse(event.data));
    wake();
  });
  socket.addEventListener("close", () => wake());
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("the connection broke; try again")));
  });
  /** @param {Message["type"]} kind */
  const answer = async (kind) => {
    for (;;) {
      const message = arrived.shift();
      if (message?.type === "error") throw new Error(message.message);
      if (message?.type === kind) return message;
      if (message !== undefined) continue;
      if (socket.readyState >= WebSocket.CLOSING) throw new Error("the connection broke; try again");
      await new Promise((resolve) => { wake = () => resolve(undefined); });
    }
  };
  const failed = () => arrived.find((message) => message.type === "error");
  try {
    /** @type {Partial<Record<R, string>>} */
    const names = {};
    const entries = /** @type {[R, File][]} */ (Object.entries(files));
    const total = entries.reduce((sum, [, file]) => sum + file.size, 0);
    let done = 0;
    for (const [role, file] of entries) {
      socket.send(JSON.stringify({ type: "upload", file: file.name, size_bytes: file.size }));
      for (let at = 0; at < file.size && failed() === undefined; at += PART_BYTES) {
        socket.send(await file.slice(at, at + PART_BYTES).arrayBuffer());
        while (socket.bufferedAmount > MAX_BUFFERED_BYTES) await new Promise((resolve) => { setTimeout(resolve, 20); });
        onProgress((done + at) / total, file.name);
      }
      const message = await answer("uploaded");
      if (message.type === "uploaded") names[role] = message.file;
      done += file.size;
    }
    onProgress(1, "");
    socket.send(JSON.stringify(request(names)));
    socket.send(JSON.stringify({ type: "library" }));
    await answer("library");
    return true;
  } finally {
    socket.close(1000);
  }
}
