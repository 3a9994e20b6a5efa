/* Elements and texts. Data from apps becomes a text node or an attribute's text, never markup. */

/**
 * Make an element. Properties named `on…` are listeners, `class` and the like are attributes; false and null leave a property out.
 * @param {string} name @param {Record<string, any>} [properties] @param {...any} children
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  fill(element, properties, children);
  return element;
}

/** Make an element of SVG. @param {string} name @param {Record<string, any>} [properties] @param {...any} children */
export function s(name, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(element, properties, children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} properties @param {any[]} children */
function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "place") place(/** @type {HTMLElement} */ (element), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Place an element in its row: its start and its width, as shares of the row. @param {HTMLElement} element @param {[number, number]} shares */
export function place(element, [from, width]) {
  element.style.setProperty("--from", `${(100 * from).toFixed(3)}%`);
  element.style.setProperty("--wide", `${(100 * width).toFixed(3)}%`);
}

/** Replace what is in an element, and keep the focus where it was. @param {Element} element @param {...any} children */
export function show(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement?.id : "";
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** Ask the viewer's server. @param {string} path @param {Record<string, any>} [asked] */
export async function ask(path, asked = {}) {
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false));
  const answer = await fetch(`/api/${path}${query.size ? `?${query}` : ""}`);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error((await answer.json()).error ?? `${answer.status}`);
  return answer.json();
}

/** A link inside of the viewer. @param {string} href @param {Record<string, any>} properties @param {...any} children */
export function link(href, properties, ...children) {
  return h("a", { href, "data-link": true, ...properties }, ...children);
}

/** A note that there is nothing to show. @param {string} title @param {...any} why */
export function empty(title, ...why) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, ...why));
}

/** A page of one question: its title, and what `draw` makes of each answer. @param {HTMLElement} root @param {string} title @param {string} question @param {(answer: any) => any} draw */
export function answered(root, title, question, draw) {
  const body = h("div", {});
  root.append(h("h1", {}, title), body);
  return { refresh: async () => show(body, draw(await ask(question))) };
}
