/* Doctor: faults of the set-up in which the viewer was started, with remedies. It checks when the reader asks for it. */

import { ask, h, show } from "./dom.js";

export const title = "Doctor";

/** @param {HTMLElement} root */
export function open(root) {
  const body = h("div", { "aria-live": "polite" });
  const look = async () => {
    show(body, h("p", { class: "note" }, "Looking. This takes some seconds."));
    try {
      show(body, findings(await ask("doctor")));
    } catch (error) {
      show(body, h("p", { class: "bad" }, /** @type {Error} */ (error).message));
    }
  };
  root.append(
    h("h1", {}, title),
    h("p", { class: "sub" }, "What otel-chatbot doctor finds where the viewer was started: versions, settings, places, servers. It sends a test span where an endpoint is set."),
    h("button", { type: "button", class: "primary", onclick: look }, "Look now"),
    body,
  );
  return { refresh: () => {}, live: false };
}

/** @param {any} found */
const findings = (found) => [
  found.failure ? h("p", { class: "bad" }, found.failure) : null,
  h("ul", { class: "findings" }, [...found.findings].sort((a, b) => rank(a) - rank(b)).map((/** @type {any} */ each) =>
    h("li", { class: each.status }, h("b", { class: "tag" }, each.status), h("span", {}, h("b", {}, each.name), ` ${each.message}`, each.remedy ? h("span", { class: "remedy" }, each.remedy) : null)))),
];

/** @param {any} finding */
const rank = (finding) => ["failed", "warning", "well"].indexOf(finding.status);
