/* The control that steps through a conversation in time: from event to event, so that long pauses take no room. */

import { h, place, show } from "./dom.js";
import * as format from "./format.js";

const STEP_MS = 180;

/** @typedef {{element: HTMLElement, follow: (shown: HTMLElement, timeline: any[], told: (at: number) => void) => void}} Scrubber */

/** A control; `follow` gives it the timeline that it steps through. @returns {Scrubber} */
export function steps() {
  const range = /** @type {HTMLInputElement} */ (h("input", { type: "range", id: "scrubber", min: 0, max: 0, step: 1, value: 0, "aria-label": "Moment of the conversation" }));
  const said = h("output", { class: "moment", for: "scrubber" });
  const ticks = h("div", { class: "ticks", "aria-hidden": "true" });
  const play = h("button", { type: "button", class: "play", "aria-pressed": "false" }, "Play");
  const element = h("div", { class: "scrubber" }, play, h("div", { class: "rail" }, ticks, range), said);
  /** @type {number[]} */
  let moments = [];
  /** @type {HTMLElement | null} */
  let body = null;
  /** @type {(at: number) => void} */
  let tell = () => {};
  /** @type {number | undefined} */
  let playing;

  const draw = () => {
    const at = moments[Number(range.value)] ?? 0;
    const last = Number(range.value) >= moments.length - 1;
    range.setAttribute("aria-valuetext", `${format.clock(at, true)}, step ${Number(range.value) + 1} of ${moments.length}`);
    show(said, h("b", {}, format.clock(at, true)), h("span", {}, `+${format.duration(at - (moments[0] ?? 0))}`), h("span", {}, `${Number(range.value) + 1} / ${moments.length}`));
    body?.classList.toggle("complete", last);
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (body?.querySelectorAll("[data-start]") ?? [])) {
      const start = Number(each.dataset.start);
      const end = Number(each.dataset.end);
      each.classList.toggle("later", !last && start > at);
      each.classList.toggle("running", !last && start <= at && end > at);
      if (each.classList.contains("span")) each.style.setProperty("--done", last || end <= at ? "1" : String(Math.max(0, (at - start) / Math.max(end - start, 1e-6))));
    }
    tell(last ? Infinity : at);
  };
  const stop = () => {
    clearInterval(playing);
    playing = undefined;
    play.setAttribute("aria-pressed", "false");
    play.textContent = "Play";
  };
  range.addEventListener("input", () => {
    draw();
    body?.querySelector(".turn.running")?.scrollIntoView({ block: "nearest" });
  });
  play.addEventListener("click", () => {
    if (playing !== undefined) return stop();
    if (Number(range.value) >= moments.length - 1) range.value = "0";
    play.setAttribute("aria-pressed", "true");
    play.textContent = "Pause";
    playing = setInterval(() => {
      range.value = String(Number(range.value) + 1);
      draw();
      if (Number(range.value) >= moments.length - 1 || !element.isConnected) stop();
    }, STEP_MS);
    draw();
  });

  /** @param {HTMLElement} shown @param {any[]} timeline @param {(at: number) => void} told */
  const follow = (shown, timeline, told) => {
    const atEnd = Number(range.value) >= moments.length - 1;
    const kept = moments[Number(range.value)];
    const all = timeline.flatMap((turn) => [turn.start, ...turn.spans.flatMap((/** @type {any} */ span) => [span.start, span.start + span.ms]), ...turn.logs.map((/** @type {any} */ log) => log.at)]);
    moments = [...new Set(all)].sort((a, b) => a - b);
    body = shown;
    tell = told;
    range.max = String(Math.max(0, moments.length - 1));
    range.value = atEnd ? range.max : String(Math.max(0, moments.findIndex((moment) => moment >= kept)));
    const share = (/** @type {number} */ moment) => moments.findIndex((each) => each >= moment) / Math.max(1, moments.length - 1);
    show(ticks, timeline.map((turn) => {
      const from = share(turn.start);
      const tick = h("i", { class: turn.failed || turn.error ? "bad" : "" });
      place(tick, [from, Math.max(0.004, share(turn.start + turn.ms) - from)]);
      return tick;
    }));
    draw();
  };
  return { element, follow };
}
