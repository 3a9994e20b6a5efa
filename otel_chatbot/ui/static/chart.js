/* A small chart: lines over time in SVG, with a legend of values and a reading under the pointer. */

import { h, s } from "./dom.js";
import * as format from "./format.js";

const WIDEST = 600;
const MARGIN = 32;
const HEIGHT = 150;
const LEFT = 52;
const BOTTOM = 18;
const TOP = 8;

/**
 * @param {{title: string, unit: string, times: number[], values: {name: string, points: (number | null)[]}[]}} shown
 */
export function chart(shown) {
  const { title, unit, times, values } = shown;
  const width = Math.max(240, Math.min(WIDEST, window.innerWidth - MARGIN)); // so that its words are as large on a phone
  const most = Math.max(...values.flatMap((line) => line.points.map((point) => point ?? 0)), 0);
  const top = nice(most);
  const x = (/** @type {number} */ place) => LEFT + ((width - LEFT - 4) * place) / Math.max(1, times.length - 1);
  const y = (/** @type {number} */ value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (top ? value / top : 0));
  const cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const steps = times.length > 1 ? `steps of ${format.duration(times[1] - times[0])}` : "";
  const reading = h("p", { class: "reading", "aria-hidden": "true" }, steps);
  const svg = s(
    "svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": described(shown) },
    [0, 0.5, 1].map((share) => [
      s("line", { class: "grid", x1: LEFT, x2: width - 4, y1: y(top * share), y2: y(top * share) }),
      s("text", { class: "axis", x: LEFT - 6, y: y(top * share) + 3.5, "text-anchor": "end" }, top * share ? format.figure(top * share, unit) : "0"),
    ]),
    times.length ? [s("text", { class: "axis", x: LEFT, y: HEIGHT - 4 }, format.moment(times[0])), s("text", { class: "axis", x: width - 4, y: HEIGHT - 4, "text-anchor": "end" }, format.moment(times[times.length - 1]))] : [],
    values.map((line, place) => s("path", { class: `line line-${place % 6}`, d: path(line.points, x, y) })),
    values.flatMap((line, place) => dots(line.points).map((at) => s("circle", { class: `line-${place % 6}`, cx: x(at), cy: y(/** @type {number} */ (line.points[at])), r: 2.5 }))),
    cursor,
  );
  const read = (/** @type {PointerEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    const place = Math.round(((((event.clientX - box.left) / box.width) * width - LEFT) / (width - LEFT - 4)) * (times.length - 1));
    if (place < 0 || place >= times.length) return;
    cursor.setAttribute("x1", String(x(place)));
    cursor.setAttribute("x2", String(x(place)));
    cursor.setAttribute("visibility", "visible");
    reading.textContent = `${format.moment(times[place])}  ${values.map((line) => `${line.name} ${format.figure(line.points[place], unit)}`).join("   ")}`;
  };
  svg.addEventListener("pointermove", /** @type {EventListener} */ (read));
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    reading.textContent = steps;
  });
  return h(
    "figure", { class: "chart" },
    h("figcaption", {}, h("h2", {}, title), reading),
    svg,
    values.length
      ? h("ul", { class: "legends" }, values.map((line, place) => h("li", { class: `line-${place % 6}` }, line.name)))
      : h("p", { class: "none" }, "Nothing in this time."),
  );
}

/** @param {(number | null)[]} points @param {(place: number) => number} x @param {(value: number) => number} y */
function path(points, x, y) {
  let pen = "M";
  let found = "";
  points.forEach((point, place) => {
    if (point === null) {
      pen = "M";
      return;
    }
    found += `${pen}${x(place).toFixed(1)} ${y(point).toFixed(1)}`;
    pen = "L";
  });
  return found || "M0 0";
}

/** Points of a line with gaps, and those with nothing beside them, which no line shows. @param {(number | null)[]} points */
const dots = (points) => (points.includes(null) ? points.flatMap((point, at) => (point === null ? [] : [at])) : points.length === 1 ? [0] : []);

/** The next round number. @param {number} value */
function nice(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * ([1, 2, 2.5, 5, 10].find((step) => step * unit >= value) ?? 10);
}

/** @param {{title: string, unit: string, values: {name: string, points: (number | null)[]}[]}} shown */
function described({ title, unit, values }) {
  const said = values.map((line) => {
    const last = line.points.filter((point) => point !== null).at(-1);
    return `${line.name}: at most ${format.figure(Math.max(...line.points.map((point) => point ?? 0)), unit)}, at last ${format.figure(last ?? null, unit)}`;
  });
  return `${title}. ${said.join("; ") || "Nothing in this time"}`;
}
