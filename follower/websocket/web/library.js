// The library: the pieces, what is being prepared, and bringing a new one.

import { button, element, find, input, make, makeButton, say, select } from "./dom.js";
import { clockText, remainingText } from "./time.js";
import { upload } from "./upload.js";
import { inWords } from "./words.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./protocol.js").LibraryMessage} LibraryMessage */
/** @typedef {import("./protocol.js").PieceEntry} PieceEntry */
/** @typedef {import("./protocol.js").JobEntry} JobEntry */
/** @typedef {"orchestra" | "mix" | "mix_orchestra"} Role */

/** @type {Role[]} */
const ROLES = ["orchestra", "mix", "mix_orchestra"];
/** @type {Record<string, string>} */
const STAGES = {
  "reading": "reading the recordings", "live features": "listening to both", "notebook features": "listening again",
  "alignment": "matching them, note by note", "orchestra model": "finding where the piano plays", "writing": "writing",
  "done": "done",
};
const NOTHING = "drop a file here, or choose one";

export class LibraryView {
  /**
   * @param {Connection} connection
   * @param {(piece: string) => void} onOpen
   */
  constructor(connection, onOpen) {
    this.connection = connection;
    this.onOpen = onOpen;
    /** @type {LibraryMessage | null} */
    this.library = null;
    /** @type {Partial<Record<Role, File>>} */
    this.files = {};
    this.busy = false;
    for (const role of ROLES) {
      const field = input(`file-${role}`);
      field.addEventListener("change", () => this.choose(role, field.files?.[0]));
    }
    this.acceptDrops();
    button("swap").addEventListener("click", () => {
      const { orchestra, mix } = this.files;
      this.choose("orchestra", mix);
      this.choose("mix", orchestra);
    });
    input("new-name").addEventListener("input", () => this.enable());
    for (const id of ["server-orchestra", "server-mix"]) select(id).addEventListener("change", () => this.enable());
    element("bring-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.prepare();
    });
  }

  acceptDrops() {
    const area = element("bring");
    /** @param {DragEvent} event @returns {Role | null} */
    const roleOf = (event) => {
      const slot = event.target instanceof Element ? event.target.closest(".slot") : null;
      const field = slot?.querySelector("input");
      return ROLES.find((role) => field?.id === `file-${role}`) ?? null;
    };
    const unmark = () => area.querySelectorAll(".over").forEach((slot) => slot.classList.remove("over"));
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      unmark();
      const slot = event.target instanceof Element ? event.target.closest(".slot") : null;
      slot?.classList.add("over");
    });
    area.addEventListener("dragleave", unmark);
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      unmark();
      const files = [...(event.dataTransfer?.files ?? [])];
      const role = roleOf(event);
      if (files.length === 1 && role !== null) {
        this.choose(role, files[0]);
        return;
      }
      // Two at once: the one whose name speaks of the piano, or the longer file, is the full recording.
      const [first, second] = files;
      if (first !== undefined && second !== undefined) {
        const named = files.findIndex((file) =>
          /piano|full|mix|\bpo\b/i.test(file.name) && !/without|minus|only/i.test(file.name));
        const mix = named >= 0 ? named : Number(second.size > first.size);
        this.choose("mix", files[mix]);
        this.choose("orchestra", files[1 - mix]);
      } else if (first !== undefined) {
        this.choose(this.files.orchestra === undefined ? "orchestra" : "mix", first);
      }
    });
    // A file dropped beside the slots must not replace the page.
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  }

  /**
   * @param {Role} role
   * @param {File | undefined} file
   */
  choose(role, file) {
    if (file === undefined) delete this.files[role];
    else this.files[role] = file;
    const none = role === "mix_orchestra" ? "none" : NOTHING;
    say(`chosen-${role}`, file === undefined ? none : `${file.name} (${(file.size / 1e6).toFixed(1)} MB)`);
    element(`chosen-${role}`).closest(".slot")?.classList.toggle("filled", file !== undefined);
    const name = input("new-name");
    if (role === "mix" && file !== undefined && name.value === "") {
      name.value = file.name.replace(/\.\w+$/, "").replace(/[/\\:*?"<>|_]+/g, " ").trim().slice(0, 80);
    }
    this.enable();
  }

  /** What the two recordings are called to the server, or null. */
  chosen() {
    const { orchestra, mix } = this.files;
    const onServer = { orchestra: select("server-orchestra").value, mix: select("server-mix").value };
    return (orchestra !== undefined || onServer.orchestra !== "") && (mix !== undefined || onServer.mix !== "");
  }

  enable() {
    button("prepare").disabled = this.busy || !this.chosen() || input("new-name").value.trim() === "";
  }

  async prepare() {
    const piece = input("new-name").value.trim();
    const taken = this.library?.pieces.some((entry) => entry.name.toLowerCase() === piece.toLowerCase());
    if (taken) {
      say("bring-state", `There is a piece called ${piece} already: choose another name.`);
      return;
    }
    this.busy = true;
    this.enable();
    const progress = find("bring-progress", HTMLProgressElement);
    progress.hidden = false;
    try {
      const sent = await upload(this.files, (share, name) => {
        progress.value = share;
        say("bring-state", `Sending ${name}: ${Math.round(100 * share)} %`);
      }, (files) => ({
        type: "prepare", piece,
        orchestra: files.orchestra ?? select("server-orchestra").value,
        mix: files.mix ?? select("server-mix").value,
        ...(files.mix_orchestra === undefined ? {} : { mix_orchestra: files.mix_orchestra }),
      }));
      say("bring-state", sent ? `${piece} is being prepared. You can leave this page meanwhile.` : "");
      for (const role of ROLES) {
        this.choose(role, undefined);
        input(`file-${role}`).value = "";
      }
      input("new-name").value = "";
    } catch (error) {
      say("bring-state", inWords(error instanceof Error ? error.message : String(error)));
    }
    progress.hidden = true;
    this.busy = false;
    this.enable();
  }

  /** @param {LibraryMessage} message */
  show(message) {
    const before = this.library;
    this.library = message;
    element("bring").hidden = false;
    element("no-pieces").hidden = message.pieces.length > 0 || message.jobs.length > 0;
    if (JSON.stringify(before?.pieces) !== JSON.stringify(message.pieces)) {
      element("pieces").replaceChildren(...message.pieces.map((entry) => this.pieceItem(entry)));
    }
    this.showJobs(message.jobs);
    element("server-files").hidden = message.files.length < 2;
    for (const id of ["server-orchestra", "server-mix"]) {
      const field = select(id);
      const value = field.value;
      const names = ["", ...message.files];
      if (names.join("\n") === [...field.options].map((option) => option.value).join("\n")) continue;
      field.replaceChildren(...names.map((name) => new Option(name || "choose", name, false, name === value)));
    }
    for (const role of ROLES) {
      input(`file-${role}`).accept = ["audio/*", ...message.formats].join(",");
    }
  }

  /** Pieces of a server without a library's answer yet: names only. @param {string[]} names */
  showNames(names) {
    if (this.library !== null) return;
    const entries = names.map((name) => ({ name, orchestra_duration: null, fit: "", quality: 0, cuts: 0, prepared: "",
      again: false, problem: "" }));
    element("pieces").replaceChildren(...entries.map((entry) => this.pieceItem(entry)));
  }

  /** @param {PieceEntry} entry */
  pieceItem(entry) {
    const item = make("li", "piece");
    const open = makeButton(entry.name, () => this.onOpen(entry.name), "open");
    open.disabled = entry.problem !== "";
    const cuts = entry.cuts === 0 ? "" : entry.cuts === 1 ? "1 cut" : `${entry.cuts} cuts`;
    const facts = entry.problem === "" ? [
      entry.orchestra_duration === null ? "" : clockText(entry.orchestra_duration).replace(/\.\d$/, ""),
      entry.fit === "" ? "" : `match: ${entry.fit}, ${Math.round(100 * entry.quality)} %`,
      cuts,
      entry.prepared === "" ? "" : `prepared ${new Date(entry.prepared).toLocaleDateString()}`,
    ] : [`It ${entry.problem}.`];
    const tools = make("span", "tools");
    if (entry.prepared !== "") {
      tools.append(makeButton("Rename", () => this.rename(entry.name), "quiet", `Rename ${entry.name}`));
      if (entry.again) {
        tools.append(makeButton("Prepare again", () => this.connection.send({ type: "prepare", piece: entry.name }), "quiet",
          `Prepare again: ${entry.name}`));
      }
      tools.append(makeButton("Remove", () => this.remove(entry.name), "quiet", `Remove ${entry.name}`));
    }
    item.append(open, make("p", "about", facts.filter((fact) => fact !== "").join(" \u00b7 ")), tools);
    return item;
  }

  /** @param {JobEntry[]} jobs */
  showJobs(jobs) {
    const list = element("jobs");
    const names = jobs.map((job) => `${job.piece}/${job.state}`).join("\n");
    if (list.dataset.names !== names) {
      list.dataset.names = names;
      list.replaceChildren(...jobs.map((job) => {
        const item = make("li", "job");
        const bar = document.createElement("progress");
        bar.max = 1;
        bar.setAttribute("aria-label", `Preparation of ${job.piece}`);
        bar.hidden = job.state === "failed";
        const give = job.state === "failed" ? "Dismiss" : "Cancel";
        const cancel = makeButton(give, () => this.connection.send({ type: "cancel", piece: job.piece }), "quiet",
          `${give}: ${job.piece}`);
        const about = make("p", job.state === "failed" ? "about failed" : "about");
        item.append(make("strong", "", job.piece), cancel, about, bar);
        return item;
      }));
    }
    jobs.forEach((job, n) => {
      const item = list.children[n];
      const about = item?.querySelector(".about");
      const bar = item?.querySelector("progress");
      if (about) about.textContent = jobText(job);
      if (bar) bar.value = job.share;
    });
  }

  /** @param {string} piece */
  rename(piece) {
    const to = prompt("New name of the piece", piece)?.trim();
    if (to && to !== piece) this.connection.send({ type: "rename", piece, to });
  }

  /** @param {string} piece */
  remove(piece) {
    if (confirm(`Remove ${piece}, with its recordings and markers?`)) this.connection.send({ type: "delete", piece });
  }
}

/** @param {JobEntry} job */
function jobText(job) {
  if (job.state === "failed") return `It could not be prepared: ${inWords(job.message)}`;
  if (job.state === "waiting") return "waits for its turn";
  const stage = job.stage.split(":")[0] ?? "";
  const left = job.remaining === null ? "" : `, ${remainingText(job.remaining)}`;
  return `${STAGES[stage] ?? "beginning"}${left}`;
}
