// The page's elements by their names, so that a misspelt one is found at once.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} is called ${id}`);
  return found;
}

/** @param {string} id */
export const element = (id) => find(id, HTMLElement);
/** @param {string} id */
export const button = (id) => find(id, HTMLButtonElement);
/** @param {string} id */
export const input = (id) => find(id, HTMLInputElement);
/** @param {string} id */
export const select = (id) => find(id, HTMLSelectElement);

/**
 * Change a text only where it differs: screen readers and layout are left alone otherwise.
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  const found = element(id);
  if (found.textContent !== text) found.textContent = text;
}

/**
 * Choose an entry of a list, which is added where it is not there: other programs may ask for what the list has not.
 * @param {string} id
 * @param {string} value
 * @param {string} text of a new entry
 */
export function choose(id, value, text) {
  const list = select(id);
  if (![...list.options].some((option) => option.value === value)) list.add(new Option(text, value));
  list.value = value;
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
export function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * @param {string} text
 * @param {() => void} onClick
 * @param {string} className
 * @param {string} [label] for screen readers, where the text is not enough
 */
export function makeButton(text, onClick, className, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.className = className;
  if (label !== undefined) made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * Let people save a text or a recording as a file.
 * @param {Blob} content
 * @param {string} name
 */
export function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
