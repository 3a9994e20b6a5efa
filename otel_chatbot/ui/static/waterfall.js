/* Spans and log lines of one trace over time: a row each, a bar where a span ran, a mark where a line was written. */

import { h, link, place } from "./dom.js";
import * as format from "./format.js";

const COLOURS = new Set(["server", "mongodb", "redis", "model"]);

/**
 * Rows by time. `depths` says whether children are indented.
 * @param {{spans: any[], logs: any[]}} trace @param {{start: number, ms: number, prefix: string, open: Set<string>, depths?: boolean}} options
 */
export function waterfall(trace, { start, ms, prefix, open, depths = true }) {
  const depth = depths ? depthsOf(trace.spans) : new Map();
  const rows = depths ? inOrder(trace.spans, trace.logs) : [...trace.spans, ...trace.logs].sort((a, b) => (a.start ?? a.at) - (b.start ?? b.at));
  const width = Math.max(ms, 0.001);
  return h(
    "ol",
    { class: "waterfall" },
    rows.map((row) =>
      "start" in row
        ? spanRow(row, (row.start - start) / width, row.ms / width, depth.get(row.span) ?? 0, prefix, open)
        : logRow(row, (row.at - start) / width, prefix, open),
    ),
  );
}

/** The CSS class for a span's kind of system. @param {any} span */
export const colour = (span) => (COLOURS.has(span.system) ? span.system : "other");

/** @param {any} span @param {number} from @param {number} wide @param {number} depth @param {string} prefix @param {Set<string>} open */
function spanRow(span, from, wide, depth, prefix, open) {
  const id = `${prefix}${span.span}`;
  return row(
    id, open, { class: `span ${colour(span)}${span.failed ? " failed" : ""}`, "data-start": span.start, "data-end": span.start + span.ms },
    [
      h("span", { class: `what depth-${Math.min(depth, 8)}` }, h("i", { class: "dot", "aria-hidden": "true" }), nameOf(span), span.failed ? h("b", { class: "tag bad" }, span.error ?? "failed") : null),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { class: "bar", place: [clamp(from), Math.max(0, Math.min(wide, 1 - clamp(from)))] })),
      h("span", { class: "number" }, format.duration(span.ms)),
    ],
    () => spanDetails(span),
  );
}

/** A span's name, with more detail than the operation alone. @param {any} span */
export function nameOf(span) {
  const told = span.attributes;
  const what = told["db.collection.name"];
  if (span.system === "mongodb" && what) return `${told["db.operation.name"] ?? span.name} ${what}`;
  return span.name;
}

/** @param {any} log @param {number} from @param {string} prefix @param {Set<string>} open */
function logRow(log, from, prefix, open) {
  const bad = log.level >= 17 ? " bad" : log.level >= 13 ? " warn" : "";
  return row(
    `${prefix}log-${log.id}`, open, { class: `log${bad}`, "data-start": log.at, "data-end": log.at },
    [
      h("span", { class: "what" }, h("i", { class: "dot", "aria-hidden": "true" }), h("span", { class: "body" }, log.body || "(no text)")),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { class: "mark", place: [clamp(from), 0] })),
      h("span", { class: "number" }, log.severity.toLowerCase()),
    ],
    () => logDetails(log),
  );
}

/** A row that opens. @param {string} id @param {Set<string>} open @param {Record<string, any>} properties @param {any[]} head @param {() => Element} details */
export function row(id, open, properties, head, details) {
  const element = h("li", properties);
  const button = h("button", {
    type: "button", id, class: "row", "aria-expanded": String(open.has(id)),
    onclick: () => {
      if (open.has(id)) open.delete(id);
      else open.add(id);
      button.setAttribute("aria-expanded", String(open.has(id)));
      if (open.has(id)) element.append(details());
      else element.lastElementChild?.remove();
    },
  }, ...head);
  element.append(button);
  if (open.has(id)) element.append(details());
  return element;
}

/** @param {any} span */
function spanDetails(span) {
  return h(
    "div", { class: "details" },
    table({ kind: span.kind, scope: span.scope, ...(span.message ? { message: span.message } : {}), ...span.attributes }),
    span.events.map((/** @type {any} */ event) =>
      h("section", {}, h("h4", {}, `${event.name} · ${format.duration(event.at - span.start)} after the start`), table(event.attributes)),
    ),
    span.links.map((/** @type {any} */ linked) => h("p", {}, "Linked to ", link(`/traces/${linked.trace}`, {}, linked.trace))),
    h("p", { class: "ids" }, `span ${span.span}`),
  );
}

/** The fields of a log record beside its text. @param {any} log @param {boolean} [withTrace] */
export function logDetails(log, withTrace = false) {
  return h(
    "div", { class: "details" },
    log.exception
      ? h("section", {}, h("h4", {}, `${log.exception.type}: ${log.exception.message ?? ""}`), log.exception.stack ? h("pre", { tabindex: "0" }, log.exception.stack) : null)
      : null,
    table({ time: new Date(log.at).toISOString(), level: log.severity, logger: log.logger, ...log.attributes }),
    withTrace && log.trace ? h("p", {}, link(`/traces/${log.trace}`, {}, "Open its trace")) : null,
  );
}

/** Names and values. @param {Record<string, any>} values */
export function table(values) {
  return h(
    "dl", { class: "pairs" },
    Object.entries(values).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value)))),
  );
}

/** @param {number} share */
const clamp = (share) => Math.max(0, Math.min(1, share));

/** @param {any[]} spans */
function depthsOf(spans) {
  const parents = new Map(spans.map((span) => [span.span, span.parent]));
  const depths = new Map();
  for (const span of spans) {
    let depth = 0;
    for (let at = span.parent; at && parents.has(at) && depth < 20; at = parents.get(at)) depth += 1;
    depths.set(span.span, depth);
  }
  return depths;
}

/** Children under their parents, each by time, log lines where they were written. @param {any[]} spans @param {any[]} logs */
function inOrder(spans, logs) {
  const known = new Set(spans.map((span) => span.span));
  /** @type {Map<string, any[]>} */
  const under = new Map();
  for (const each of [...spans, ...logs]) {
    const parent = "start" in each ? (known.has(each.parent) && each.parent !== each.span ? each.parent : "") : known.has(each.span) ? each.span : "";
    under.set(parent, [...(under.get(parent) ?? []), each]);
  }
  /** @type {any[]} */
  const rows = [];
  const seen = new Set();
  const walk = (/** @type {string} */ parent) => {
    const children = (under.get(parent) ?? []).sort((a, b) => (a.start ?? a.at) - (b.start ?? b.at));
    for (const child of children) {
      if (seen.has(child)) continue;
      seen.add(child);
      rows.push(child);
      if ("start" in child) walk(child.span);
    }
  };
  walk("");
  return rows.concat([...spans, ...logs].filter((each) => !seen.has(each)));
}

export { place };
