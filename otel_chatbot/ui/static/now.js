/* Now: the figures of the dashboards' rows for a chosen time, and the reasons why a figure may be empty. */

import { chart } from "./chart.js";
import { ask, h, show } from "./dom.js";
import * as format from "./format.js";

export const title = "Now";
export const WINDOWS = /** @type {[string, string][]} */ ([["300", "the last 5 minutes"], ["3600", "the last hour"], ["86400", "the last day"], ["0", "since the start"]]);

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
export function open(root, place) {
  const chosen = choice(place, "3600");
  const body = h("div", {});
  root.append(h("div", { class: "heading" }, h("h1", {}, title), chosen.element), body);
  const refresh = async () => {
    const found = await ask("now", { window: chosen.value() });
    show(
      body,
      h("dl", { class: "figures" }, found.figures.map(figure)),
      h("div", { class: "charts" }, found.lines.map((/** @type {any} */ line) => chart(line))),
    );
  };
  const timer = setInterval(() => (root.isConnected ? refresh().catch(() => {}) : clearInterval(timer)), 5000);
  return { refresh };
}

/** The time that is shown. @param {import("./main.js").Place} place @param {string} usual */
export function choice(place, usual) {
  const value = place.asked.get("window") ?? usual;
  const select = /** @type {HTMLSelectElement} */ (h("select", { id: "window", onchange: () => place.go({ window: select.value }) }, WINDOWS.map(([key, text]) => h("option", { value: key, selected: key === value }, text))));
  return { element: h("label", { class: "field field-choice", for: "window" }, h("span", {}, "Time shown"), select), value: () => select.value };
}

/** @param {any} each */
const figure = (each) =>
  h(
    "div", { class: each.value === null ? "figure none" : "figure" },
    h("dt", { title: each.meaning }, each.title),
    h("dd", { class: each.unit === "health" && each.value < 1 ? "bad" : "" }, format.figure(each.value, each.unit)),
    h("dd", { class: "why" }, each.empty || each.meaning),
  );
