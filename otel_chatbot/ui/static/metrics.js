/* Metrics: the list of all, and one metric over time, series by series, with the traces of its exemplars. */

import { chart } from "./chart.js";
import { answered, ask, empty, h, link, show } from "./dom.js";
import * as format from "./format.js";
import { choice } from "./now.js";

export const title = "Metrics";
const DRAWN = 6;

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
export const open = (root, place) => (place.name ? one(root, place) : list(root));

/** @param {HTMLElement} root */
const list = (root) =>
  answered(root, title, "metrics", ({ metrics }) =>
    metrics.length
      ? h("ul", { class: "list metrics" },
          h("li", { class: "head", "aria-hidden": "true" }, h("span", {}, "Name"), h("span", {}, "Meaning"), h("span", {}, "Kind"), h("span", { class: "number" }, "Series")),
          metrics.map((/** @type {any} */ each) =>
            h("li", {}, link(`/metrics/${encodeURIComponent(each.name)}`, { class: "item", id: `metric-${each.name}` },
              h("span", { class: "what" }, each.name), h("span", { class: "meaning" }, each.meaning), h("span", { class: "app" }, `${each.kind}${each.unit ? `, ${each.unit}` : ""}`), h("span", { class: "number", "data-label": "series" }, format.count(each.series))))))
      : empty("No metric", "The viewer samples the runs of apps on this machine, and takes what is sent to /v1/metrics."),
  );

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
function one(root, place) {
  const chosen = choice(place, "3600");
  const head = h("div", {});
  const body = h("div", {});
  root.append(head, chosen.element, body);
  const refresh = async () => {
    const found = await ask(`metrics/${encodeURIComponent(place.name)}`, { window: chosen.value() });
    show(head, h("p", { class: "crumb" }, link("/metrics", {}, title)), h("h1", {}, place.name), h("p", { class: "sub" }, found ? `${found.metric.meaning} · ${found.metric.kind}${found.metric.unit ? `, ${found.metric.unit}` : ""}` : ""));
    if (!found) {
      show(body, empty("Nobody has counted this", "No series of this name has come."));
      return;
    }
    const { unit, kind } = found.metric;
    const label = kind === "histogram" ? "p95 in each step" : kind === "counter" ? "Growth in each step" : "Value";
    const named = found.series.map((/** @type {any} */ each) => ({ ...each, name: Object.values(each.attributes).join(" · ") || each.service || "all" }));
    const moving = named.filter((/** @type {any} */ each) => each.points.some((/** @type {number | null} */ point) => point));
    show(
      body,
      h("div", { class: "charts one" }, chart({ title: label, unit, times: found.times, values: moving.slice(0, DRAWN) })),
      moving.length > DRAWN ? h("p", { class: "note" }, `The chart shows the largest ${DRAWN} of ${moving.length} series.`) : null,
      table(named, unit, kind),
      found.left_out ? h("p", { class: "note" }, `${found.left_out} series more are not shown.`) : null,
      traces(named, unit),
    );
  };
  return { refresh };
}

/** @param {any[]} series @param {string} unit @param {string} kind */
function table(series, unit, kind) {
  const columns = kind === "histogram" ? ["Count", "Sum", "p50", "p95"] : ["Value"];
  return h(
    "div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Series" },
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Series"), columns.map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", {}, series.map((each) =>
        h("tr", {},
          h("th", { scope: "row" }, Object.keys(each.attributes).length ? Object.entries(each.attributes).map(([name, value]) => h("span", { class: "label" }, h("small", {}, name), String(value))) : "without attributes"),
          kind === "histogram"
            ? [format.count(each.count), format.figure(each.value, unit), format.figure(each.p50, unit), format.figure(each.p95, unit)].map((text) => h("td", { class: "number" }, text))
            : h("td", { class: "number" }, format.figure(each.value, unit)))))),
  );
}

/** @param {any[]} series @param {string} unit */
function traces(series, unit) {
  const found = series.flatMap((each) => each.exemplars ?? []).sort((a, b) => b.at - a.at).slice(0, 20);
  return found.length
    ? h("section", {}, h("h2", {}, "Observations that name their trace"), h("ul", { class: "exemplars" }, found.map((each) => h("li", {}, link(`/traces/${each.trace}`, {}, format.figure(each.value, unit)), h("span", {}, format.moment(each.at))))))
    : null;
}
