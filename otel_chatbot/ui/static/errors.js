/* Errors, grouped by kind and place, each with a trace as an example. */

import { answered, empty, h, link } from "./dom.js";
import * as format from "./format.js";

export const title = "Errors";

/** @param {HTMLElement} root */
export const open = (root) =>
  answered(root, title, "errors", ({ problems }) =>
    problems.length
      ? h(
          "ul", { class: "list errors" },
          h("li", { class: "head", "aria-hidden": "true" }, h("span", { class: "number" }, "Times"), h("span", {}, "What and where"), h("span", {}, "Seen in"), h("span", {}, "First"), h("span", {}, "Last")),
          problems.map((/** @type {any} */ each, /** @type {number} */ at) => {
            const cells = [
              h("span", { class: "number times" }, format.count(each.count)),
              h("span", { class: "what" }, h("b", {}, each.kind), h("span", { class: "where" }, each.place)),
              h("span", { class: "app" }, each.signal === "log" ? "a log line" : "a span", each.service ? ` of ${each.service}` : ""),
              h("span", { class: "when", "data-label": "first" }, format.moment(each.first)),
              h("span", { class: "when", "data-label": "last" }, format.ago(each.last)),
            ];
            return h("li", {}, each.trace ? link(`/traces/${each.trace}`, { class: "item", id: `error-${at}` }, ...cells) : h("div", { class: "item" }, ...cells));
          }),
        )
      : empty("No error", "Nothing has failed among what the viewer keeps."),
  );
