/* The page: the view of an address, the links between views, and the check for news, twice per second. */

import { ask, empty, h, link, show } from "./dom.js";
import * as format from "./format.js";
import * as conversations from "./conversations.js";
import * as doctor from "./doctor.js";
import * as errors from "./errors.js";
import * as logs from "./logs.js";
import * as metrics from "./metrics.js";
import * as now from "./now.js";
import * as traces from "./traces.js";

/** @type {Record<string, {title: string, open: (root: HTMLElement, place: Place) => View}>} */
const VIEWS = { now, conversations, traces, logs, errors, metrics, doctor };

/** @typedef {{name: string, asked: URLSearchParams, go: (asked: Record<string, any>) => void}} Place */
/** @typedef {{refresh: () => Promise<void> | void, live?: boolean}} View */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const state = /** @type {HTMLElement} */ (document.getElementById("state"));
/** @type {View | null} */
let view = null;
let changes = -1;
let refreshing = false;

nav.append(...Object.entries(VIEWS).map(([name, { title }]) => link(`/${name}`, { id: `nav-${name}` }, title)));

/** Show the view of the address. @param {boolean} [moved] */
function open(moved = true) {
  const [, first = "", ...rest] = location.pathname.split("/");
  const name = first in VIEWS ? first : "conversations";
  for (const each of nav.children) {
    if (each.id === `nav-${name}`) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  const root = h("div", { class: `view view-${name}` });
  show(main, root);
  document.title = `${VIEWS[name].title} · otel-chatbot`;
  view = VIEWS[name].open(root, {
    name: decodeURIComponent(rest.join("/")),
    asked: new URLSearchParams(location.search),
    go: (asked) => narrow(asked),
  });
  if (moved) window.scrollTo(0, 0);
  refresh();
}

/** Change the parameters in the address, without a new entry in the history for each letter. @param {Record<string, any>} asked */
function narrow(asked) {
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "" && value !== false));
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  refresh();
}

async function refresh() {
  if (refreshing || !view) return;
  refreshing = true;
  const shown = view;
  try {
    await shown.refresh();
  } catch (error) {
    if (shown === view) show(state, h("span", { class: "bad" }, `The viewer does not answer: ${/** @type {Error} */ (error).message}`));
  } finally {
    refreshing = false;
    if (shown !== view) refresh();
  }
}

async function look() {
  try {
    const found = await ask("state");
    show(
      state,
      h("span", { class: "live" }, "live"),
      h("span", {}, `${format.compact(found.spans)} spans, ${format.compact(found.logs)} log records`),
      h("span", {}, `${format.bytes(found.bytes)} of ${format.bytes(found.max_bytes)}`),
    );
    if (found.changes !== changes) {
      changes = found.changes;
      if (view && view.live !== false) await refresh();
    }
  } catch {
    show(state, h("span", { class: "bad" }, "The viewer does not answer. Is it running?"));
    changes = -1;
  }
  setTimeout(look, document.hidden ? 5000 : 500);
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("a[data-link]") : null;
  if (!(target instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", target.href);
  open();
  main.focus({ preventScroll: true });
});
window.addEventListener("popstate", () => open(false));
if (location.pathname === "/") history.replaceState(null, "", "/conversations");
try {
  open();
} catch (error) {
  show(main, empty("This page could not be shown", /** @type {Error} */ (error).message));
}
look();
