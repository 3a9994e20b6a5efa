/* Conversations: the list, and one of them turn by turn, with a control that steps through it in time. */

import { ask, empty, h, link, show } from "./dom.js";
import { listed } from "./filters.js";
import * as format from "./format.js";
import { steps } from "./scrubber.js";
import { waterfall } from "./waterfall.js";

export const title = "Conversations";

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
export const open = (root, place) => (place.name ? one(root, place.name) : list(root, place));

/** @param {HTMLElement} root @param {import("./main.js").Place} place */
const list = (root, place) =>
  listed(root, place, {
    title, name: "conversations",
    fields: [
      { name: "text", label: "Search", hint: "words, or the id" },
      { name: "user", label: "User", hint: "hash or id" },
      { name: "model", label: "Model" },
      { name: "slow", label: "Slower than (ms)", kind: "number" },
      { name: "cost", label: "Cost from ($)", kind: "number" },
      { name: "failed", label: "With errors", kind: "check" },
    ],
    draw(answers, { form }) {
      const found = answers.flatMap((answer) => answer.conversations);
      return found.length ? rows(found) : nothing(form);
    },
  });

/** @param {any[]} found */
const rows = (found) =>
  h(
    "ul", { class: "list conversations" },
    h("li", { class: "head", "aria-hidden": "true" }, h("span", {}, "Last seen"), h("span", {}, "Conversation"), h("span", {}, "Turns"), h("span", { class: "number" }, "Slowest"), h("span", { class: "number" }, "Tokens in → out"), h("span", { class: "number" }, "Cost")),
    found.map((each) =>
      h("li", {}, link(
        `/conversations/${encodeURIComponent(each.id)}`, { class: "item", id: `conversation-${each.id}` },
        h("span", { class: "when", title: new Date(each.last).toString() }, format.ago(each.last)),
        h("span", { class: "who" }, each.asked ? h("span", { class: "first" }, each.asked) : null, h("span", { class: "id" }, each.id), h("span", { class: "models" }, [each.models.join(", ") || "no model called", each.user].filter(Boolean).join(" · "))),
        h("span", { class: "turns" }, beads(each.turns, each.errors), h("span", { class: "hidden" }, `${each.turns} turns, ${each.errors} with errors`)),
        h("span", { class: "number" }, format.duration(each.slowest_ms)),
        h("span", { class: "number" }, `${format.compact(each.tokens_in)} → ${format.compact(each.tokens_out)}`),
        h("span", { class: "number" }, format.cost(each.cost)),
      )),
    ),
  );

/** One bead per turn, the failed ones last. @param {number} turns @param {number} errors */
function beads(turns, errors) {
  const most = 12;
  const shown = Math.min(turns, most);
  const bad = Math.min(errors, shown);
  return h("span", { class: "beads", "aria-hidden": "true" }, Array.from({ length: shown }, (_, at) => h("i", { class: at >= shown - bad ? "bad" : "" })), h("span", {}, `${turns}`));
}

/** @param {HTMLElement} form */
const nothing = (form) =>
  [...new FormData(/** @type {HTMLFormElement} */ (form)).keys()].length || location.search
    ? empty("No conversation is like that", "Take something out of the fields above.")
    : empty("No conversation yet", "A conversation is known by its id, which otel-chatbot finds in requests, and which spans carry as gen_ai.conversation.id. Say something to the app.");

/** @param {HTMLElement} root @param {string} name */
function one(root, name) {
  const opened = new Set();
  let before = "";
  const head = h("div", { class: "conversation-head" });
  const body = h("div", { class: "timeline" });
  const scrubber = steps();
  root.append(head, body, scrubber.element);
  const refresh = async () => {
    const found = await ask(`conversations/${encodeURIComponent(name)}`);
    const text = JSON.stringify(found);
    if (text === before) return;
    before = text;
    if (!found) {
      show(root, h("h1", {}, "Conversation"), empty("There is no such conversation", "It may have been too old to keep. ", link("/conversations", {}, "All conversations")));
      return;
    }
    draw(found, head, body, opened, scrubber);
  };
  return { refresh };
}

/** @param {any} found @param {HTMLElement} head @param {HTMLElement} body @param {Set<string>} opened @param {import("./scrubber.js").Scrubber} control */
function draw(found, head, body, opened, control) {
  const figures = h("dl", { class: "strip" });
  show(
    head,
    h("p", { class: "crumb" }, link("/conversations", {}, title)),
    h("h1", {}, h("span", { class: "id" }, found.id)),
    h("p", { class: "sub" }, `${format.moment(found.first)} – ${format.moment(found.last)}`, found.models.length ? ` · ${found.models.join(", ")}` : "",
      found.user ? [" · user ", link(`/conversations?user=${encodeURIComponent(found.user)}`, {}, found.user)] : null),
    figures,
    found.timeline.some((/** @type {any} */ turn) => turn.said.some((/** @type {any} */ said) => said.asked || said.answered))
      ? null
      : h("p", { class: "note" }, "Prompts and answers are not captured. The app does so with CHATBOT_OTEL_CAPTURE_CONTENT=true."),
  );
  let number = 0;
  show(body, found.timeline.map((/** @type {any} */ turn) => (turn.aside ? aside(turn) : article(turn, (number += 1), opened))));
  control.follow(body, found.timeline, (at) => {
    const totals = until(found.timeline, at);
    show(figures, Object.entries(totals).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  });
}

/** The sums of the conversation up to a moment. @param {any[]} timeline @param {number} at */
function until(timeline, at) {
  const begun = timeline.filter((turn) => turn.start <= at);
  const calls = begun.flatMap((turn) => turn.spans).filter((span) => span.system === "model" && span.start + span.ms <= at);
  const total = (/** @type {string} */ name) => calls.reduce((sum, span) => sum + (span[name] ?? 0), 0);
  const failed = begun.filter((turn) => turn.spans.some((/** @type {any} */ span) => span.failed && span.start + span.ms <= at));
  return {
    Turns: format.count(begun.filter((turn) => !turn.aside).length),
    "Model calls": format.count(calls.length),
    "Tokens in": format.count(total("tokens_in")),
    "Tokens out": format.count(total("tokens_out")),
    Cost: format.cost(total("cost")),
    Errors: format.count(failed.length),
  };
}

/** When a turn took place, as the scrubber reads it. @param {any} turn @param {string} name */
const placed = (turn, name) => ({ class: `turn${name}${turn.failed || turn.error ? " failed" : ""}`, "data-start": turn.start, "data-end": turn.start + turn.ms });

/** @param {any} turn */
const code = (turn) => (turn.code ? h("b", { class: `tag ${turn.code >= 500 ? "bad" : turn.code >= 400 ? "warn" : "good"}` }, String(turn.code)) : null);

/** A request that only read the conversation, or deleted it: a line. @param {any} turn */
const aside = (turn) =>
  h("p", placed(turn, " aside"), h("span", {}, turn.name, code(turn)), h("span", { class: "facts" }, h("time", { datetime: new Date(turn.start).toISOString() }, format.clock(turn.start, true)), h("span", {}, format.duration(turn.ms)), link(`/traces/${turn.trace}`, {}, "trace")));

/** @param {any} turn @param {number} number @param {Set<string>} opened */
function article(turn, number, opened) {
  return h(
    "article", placed(turn, ""),
    h(
      "header", {},
      h("h2", {}, h("span", { class: "ordinal" }, String(number)), turn.name, code(turn)),
      h("p", { class: "facts" },
        h("time", { datetime: new Date(turn.start).toISOString() }, format.clock(turn.start, true)),
        h("span", {}, format.duration(turn.ms)),
        turn.models.length ? h("span", {}, `${format.count(turn.tokens_in)} → ${format.count(turn.tokens_out)} tokens`) : null,
        turn.models.length ? h("span", {}, format.cost(turn.cost)) : h("span", {}, "no model called"),
        link(`/traces/${turn.trace}`, {}, "trace"),
      ),
    ),
    turn.said.map(said),
    phases(turn.phases),
    waterfall(turn, { start: turn.start, ms: turn.ms, prefix: `${turn.trace}-`, open: opened }),
  );
}

/** @param {any} said */
const said = (said) =>
  said.asked || said.answered
    ? h("div", { class: "said" }, said.asked ? h("p", { class: "asked" }, words(said.asked)) : null, said.answered ? h("p", { class: "answered" }, words(said.answered)) : null)
    : null;

/** The text of the last message of captured content, which is JSON in a string. @param {any} content */
function words(content) {
  try {
    const messages = typeof content === "string" ? JSON.parse(content) : content;
    const last = Array.isArray(messages) ? messages.at(-1) : messages;
    const parts = last?.parts ?? last?.content ?? last;
    if (Array.isArray(parts)) return parts.map((part) => part?.content ?? part?.text ?? JSON.stringify(part)).join("\n");
    return typeof parts === "string" ? parts : JSON.stringify(parts);
  } catch {
    return String(content);
  }
}

const PHASES = [["history", "history"], ["cache", "cache"], ["first_chunk", "until the first chunk"], ["generation", "generation"]];

/** The time of each phase. @param {Record<string, number>} found */
function phases(found) {
  const parts = PHASES.filter(([name]) => found[name] > 0);
  const whole = Math.max(found.total ?? 0, parts.reduce((sum, [name]) => sum + found[name], 0));
  if (!parts.length || !whole) return null;
  let from = 0;
  return h(
    "div", { class: "phases" },
    h("div", { class: "phase-bar", "aria-hidden": "true" }, parts.map(([name]) => {
      const bar = h("i", { class: name, place: [from, found[name] / whole] });
      from += found[name] / whole;
      return bar;
    })),
    h("p", {}, parts.map(([name, label]) => h("span", { class: `legend ${name}` }, `${label} ${format.duration(found[name])}`))),
  );
}
