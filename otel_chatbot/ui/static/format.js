/* Numbers and times as people read them. */

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? "–" : whole.format(Math.round(value * 1000) / 1000));

/** @param {number} value */
export const compact = (value) => (value < 10_000 ? count(value) : short.format(value));

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 s";
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** @param {number | null | undefined} dollars */
export function cost(dollars) {
  if (dollars === null || dollars === undefined) return "–";
  if (dollars === 0) return "$0";
  const digits = dollars >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(Math.abs(dollars))) + 1);
  return `$${dollars.toFixed(digits)}`;
}

/** @param {number} ms */
export function clock(ms, fraction = false) {
  const date = new Date(ms);
  const text = date.toLocaleTimeString("en-GB", { hour12: false });
  return fraction ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** A moment as a time of day; with the date if it is not today. @param {number} ms */
export function moment(ms) {
  const date = new Date(ms);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} `;
  return `${day}${clock(ms)}`;
}

/** @param {number} ms */
export function ago(ms) {
  const seconds = Math.max(0, (Date.now() - ms) / 1000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  return bytes < 1_048_576 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** A value in a unit of the viewer. @param {number | null} value @param {string} unit */
export function figure(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "s") return duration(value * 1000);
  if (unit === "share") return `${(100 * value).toFixed(value && value < 0.1 ? 1 : 0)} %`;
  if (unit === "usd" || unit === "{USD}") return cost(value);
  if (unit === "health") return value === 1 ? "healthy" : value === 0 ? "unhealthy" : "degraded";
  if (unit === "By") return bytes(value);
  return count(value);
}
