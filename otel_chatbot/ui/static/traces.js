/* Traces: the list, with search and filters, and one trace as a waterfall with its log lines. */

import { compared, extent } from "./compare.js";
import { ask, empty, h, link, show } from "./dom.js";
import { filters, listed } from "./filters.js";
import * as format from "./format.js";
import { waterfall } from "./waterfall.js";

export const title = "Traces";

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
export const open = (root, place) => (place.name ? one(root, place) : list(root, place));

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
const list = (root, place) =>
  listed(root, place, {
    title, name: "traces",
    fields: [
      { name: "text", label: "Search", hint: "words in names, attributes" },
      { name: "route", label: "Route", kind: "choice", choices: [["", "all"], ...(place.asked.get("route") ? [/** @type {[string, string]} */ ([place.asked.get("route"), place.asked.get("route")])] : [])] },
      { name: "status", label: "Status", kind: "choice", choices: [["", "all"], ["2", "2xx"], ["3", "3xx"], ["4", "4xx"], ["5", "5xx"]] },
      { name: "slow", label: "Slower than (ms)", kind: "number" },
      { name: "attribute", label: "Attribute", hint: "db.namespace" },
      { name: "value", label: "Its value", hint: "any" },
      { name: "failed", label: "Failed", kind: "check" },
    ],
    async draw(answers, { inputs }) {
      const { routes } = await ask("routes");
      const select = inputs.route;
      const known = new Set([...select.querySelectorAll("option")].map((option) => option.value));
      select.append(...routes.filter((/** @type {string} */ route) => !known.has(route)).map((/** @type {string} */ route) => h("option", { value: route }, route)));
      /** @type {any[]} */
      let found = [];
      for (const answer of answers) {
        const seen = new Set(found.map((each) => each.trace));
        found = found.concat(answer.traces.filter((/** @type {any} */ each) => !seen.has(each.trace)));
      }
      const services = Object.assign({}, ...answers.map((answer) => answer.services));
      return found.length ? rows(found, services) : empty("No trace", location.search ? "None is like that among those looked at." : "Send a request to the app.");
    },
  });

/** @param {any[]} found @param {Record<string, any>} services */
function rows(found, services) {
  const longest = Math.max(...found.map((each) => each.ms), 1);
  return h(
    "ul", { class: "list traces" },
    h("li", { class: "head", "aria-hidden": "true" }, h("span", {}, "Started"), h("span", {}, "Request"), h("span", {}, "Status"), h("span", {}, "App"), h("span", { class: "number" }, "Time")),
    found.map((each) =>
      h("li", { class: each.failed ? "failed" : "" }, link(
        `/traces/${each.trace}`, { class: "item", id: `trace-${each.id}` },
        h("span", { class: "when" }, format.moment(each.start)),
        h("span", { class: "what" }, each.name, each.error && each.error !== String(each.code) ? h("b", { class: "tag bad" }, each.error) : null),
        h("span", {}, each.code ? h("b", { class: `tag ${each.code >= 500 ? "bad" : each.code >= 400 ? "warn" : "good"}` }, String(each.code)) : ""),
        h("span", { class: "app" }, services[each.resource]?.service ?? ""),
        h("span", { class: "time" }, h("i", { class: "bar", "aria-hidden": "true", place: [0, each.ms / longest] }), h("span", { class: "number" }, format.duration(each.ms))),
      )),
    ),
  );
}

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
function one(root, place) {
  const opened = new Set();
  let before = "";
  const head = h("div", {});
  const body = h("div", {});
  const { form, values } = filters(place, [{ name: "with", label: "Compare with", hint: "the id of another trace" }]);
  root.append(head, form, body);
  const refresh = async () => {
    const found = await ask(`traces/${encodeURIComponent(place.name)}`);
    const wanted = String(values().with);
    const other = wanted ? await ask(`traces/${encodeURIComponent(wanted)}`) : null;
    const text = JSON.stringify([found, wanted, other]);
    if (text === before) return;
    before = text;
    if (!found) {
      show(head, h("h1", {}, "Trace"));
      show(body, empty("There is no such trace", "It has not come yet, or it was too old to keep."));
      return;
    }
    const { start, ms } = extent(found);
    const first = found.spans.find((/** @type {any} */ span) => span.entry) ?? found.spans[0];
    const conversation = found.spans.map((/** @type {any} */ span) => span.conversation).find(Boolean);
    const services = [...new Set(Object.values(found.resources).map((/** @type {any} */ each) => each.service).filter(Boolean))];
    show(
      head,
      h("p", { class: "crumb" }, link("/traces", {}, title)),
      h("h1", {}, first?.name ?? "Log lines without spans", first?.code ? h("b", { class: `tag ${first.code >= 500 ? "bad" : "good"}` }, String(first.code)) : null),
      h("p", { class: "sub" },
        `${format.moment(start)} · ${format.duration(ms)} · ${found.spans.length} spans · ${services.join(", ")} · `,
        conversation ? [link(`/conversations/${encodeURIComponent(conversation)}`, {}, "conversation"), " · "] : null,
        link(`/logs?trace=${found.trace}`, {}, "log lines"), h("span", { class: "id" }, ` ${found.trace}`)),
    );
    show(
      body,
      wanted && !other ? h("p", { class: "note" }, "There is no trace of that id.") : null,
      other ? compared(found, other, opened) : waterfall(found, { start, ms, prefix: "", open: opened }),
    );
  };
  return { refresh };
}
