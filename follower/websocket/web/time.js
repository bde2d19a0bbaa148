// Times as people write them.

/**
 * @param {number} seconds
 * @returns {string} as 1:02.5
 */
export function clockText(seconds) {
  const tenths = Math.round(10 * Math.max(seconds, 0)); // first, or 59.96 s would be 0:60.0
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

/**
 * @param {number} seconds
 * @returns {string} as 1:02
 */
export function wholeClockText(seconds) {
  const whole = Math.floor(Math.max(seconds, 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/**
 * @param {string} text "1:30.5", "90.5" or "90,5"
 * @returns {number | null} seconds; null for anything else
 */
export function secondsOf(text) {
  const found = /^(?:(\d+):(?=[0-5]?\d(?:\D|$)))?(\d+(?:[.,]\d+)?)$/.exec(text.trim());
  return found === null ? null : 60 * Number(found[1] ?? 0) + Number((found[2] ?? "").replace(",", "."));
}

/**
 * @param {number} seconds to go
 * @returns {string} in words
 */
export function remainingText(seconds) {
  if (seconds < 50) return `about ${Math.max(5, 5 * Math.round(seconds / 5))} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes <= 1 ? "about a minute left" : `about ${minutes} minutes left`;
}
