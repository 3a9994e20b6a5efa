/* Log records, newest first, as they arrive; a line opens to show all fields of its record. */

import { empty, h, show } from "./dom.js";
import { filters, framed, pagesOf } from "./filters.js";
import * as format from "./format.js";
import { logDetails, row } from "./waterfall.js";

export const title = "Logs";

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
export function open(root, place) {
  const { form, values } = filters(place, [
    { name: "text", label: "Search", hint: "words in the lines" },
    { name: "level", label: "Level", kind: "choice", choices: [["", "all"], ["9", "info and up"], ["13", "warnings and up"], ["17", "errors"]] },
    { name: "logger", label: "Logger" },
    { name: "trace", label: "Trace" },
  ]);
  const opened = new Set();
  const body = h("div", {});
  let pages = 1;
  let paused = false;
  const pause = h("button", {
    type: "button", class: "pause", "aria-pressed": "false",
    onclick: () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Follow again" : "Pause";
      if (!paused) refresh(true);
    },
  }, "Pause");
  root.append(h("div", { class: "heading" }, h("h1", {}, title), pause), form, body);
  let asked = "";
  const refresh = async (/** @type {boolean} */ forced = false) => {
    const now = JSON.stringify(values()) + pages;
    if (paused && !forced && now === asked) return;
    asked = now;
    const answers = await pagesOf("logs", values(), pages);
    const found = answers.flatMap((answer) => answer.logs);
    const rows = found.length ? h("ol", { class: "list lines" }, found.map((each) => line(each, opened))) : empty("No log record", location.search ? "None is like that among those looked at." : "Nothing was logged yet.");
    show(body, ...framed(answers, rows, () => { pages += 1; refresh(true); }));
  };
  return { refresh };
}

/** @param {any} log @param {Set<string>} opened */
function line(log, opened) {
  const bad = log.level >= 17 ? "bad" : log.level >= 13 ? "warn" : log.level < 9 ? "quiet" : "";
  return row(
    `log-${log.id}`, opened, { class: `line ${bad}` },
    [
      h("span", { class: "when" }, format.clock(log.at, true)),
      h("span", { class: "level" }, log.severity.toLowerCase()),
      h("span", { class: "logger" }, log.logger),
      h("span", { class: "body" }, log.body, log.exception ? h("b", { class: "tag bad" }, log.exception.type) : null),
    ],
    () => logDetails(log, true),
  );
}
