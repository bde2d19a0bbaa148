// The keyboard: one key for each thing a pianist does with one hand free.

/** @param {Record<string, () => void>} actions by key, in lower case; only in the room, and not while something is typed */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.view !== "room") return;
    const target = event.target;
    const types = target instanceof HTMLInputElement && !["checkbox", "range"].includes(target.type);
    if (types || target instanceof HTMLSelectElement) return;
    if (event.key === " " && (target instanceof HTMLButtonElement || target instanceof HTMLInputElement
      || (target instanceof HTMLElement && target.tagName === "SUMMARY"))) return;
    const action = actions[event.key.toLowerCase()];
    if (action === undefined || event.repeat) return;
    event.preventDefault();
    action();
  });
}
