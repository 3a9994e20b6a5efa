/* Two traces side by side: a table of how often and how long each operation ran, and both waterfalls on one time scale. */

import { h } from "./dom.js";
import * as format from "./format.js";
import { nameOf, waterfall } from "./waterfall.js";

/** When a trace began and how long it took, in milliseconds. @param {any} trace */
export function extent(trace) {
  const times = [...trace.spans.flatMap((/** @type {any} */ span) => [span.start, span.start + span.ms]), ...trace.logs.map((/** @type {any} */ log) => log.at)];
  const start = Math.min(...times);
  return { start, ms: Math.max(...times) - start };
}

/** @param {any} one @param {any} other @param {Set<string>} opened */
export function compared(one, other, opened) {
  const ms = Math.max(extent(one).ms, extent(other).ms);
  const side = (/** @type {any} */ trace, /** @type {string} */ title) =>
    h("section", {}, h("h2", {}, title, h("span", { class: "id" }, ` ${trace.trace}`)), waterfall(trace, { start: extent(trace).start, ms, prefix: `${trace.trace}-`, open: opened }));
  return [differences(one, other), h("div", { class: "sides" }, side(one, "This trace"), side(other, "The other"))];
}

/** The operations of both traces, the largest difference first. @param {any} one @param {any} other */
function differences(one, other) {
  const [here, there] = [sums(one), sums(other)];
  const names = [...new Set([...here.keys(), ...there.keys()])];
  const rows = names.map((name) => ({ name, here: here.get(name), there: there.get(name), by: (there.get(name)?.ms ?? 0) - (here.get(name)?.ms ?? 0) }));
  rows.sort((a, b) => Math.abs(b.by) - Math.abs(a.by));
  const cell = (/** @type {{times: number, ms: number} | undefined} */ sum) => (sum ? `${format.count(sum.times)} × ${format.duration(sum.ms / sum.times)}` : "–");
  return h(
    "div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Differences" },
    h("table", { class: "differences" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Span"), ["This trace", "The other", "Difference"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", {}, rows.map((row) =>
        h("tr", {}, h("th", { scope: "row" }, row.name), h("td", { class: "number" }, cell(row.here)), h("td", { class: "number" }, cell(row.there)),
          h("td", { class: `number ${row.by > 0 ? "bad" : ""}` }, `${row.by < 0 ? "−" : "+"}${format.duration(Math.abs(row.by))}`))))),
  );
}

/** How often and how long, by name. @param {any} trace */
function sums(trace) {
  /** @type {Map<string, {times: number, ms: number}>} */
  const found = new Map();
  for (const span of trace.spans) {
    const sum = found.get(nameOf(span)) ?? { times: 0, ms: 0 };
    found.set(nameOf(span), { times: sum.times + 1, ms: sum.ms + span.ms });
  }
  return found;
}
