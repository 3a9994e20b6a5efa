/* The filter fields over a list. Their values are in the address, so that it can be shared. */

import { ask, h, show } from "./dom.js";

/** @typedef {{name: string, label: string, kind?: "search" | "number" | "check" | "choice", choices?: [string, string][], hint?: string}} Field */

/** @param {import("./main.js").Place} place @param {Field[]} fields */
export function filters(place, fields) {
  /** @type {Record<string, HTMLInputElement | HTMLSelectElement>} */
  const inputs = {};
  /** @type {number | undefined} */
  let waiting;
  const changed = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => place.go(values()), 200);
  };
  const values = () =>
    Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input instanceof HTMLInputElement && input.type === "checkbox" ? (input.checked ? "1" : "") : input.value.trim()]));
  const form = h(
    "form",
    { class: "filters", role: "search", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); place.go(values()); } },
    fields.map(({ name, label, kind = "search", choices = [], hint = "" }) => {
      const value = place.asked.get(name) ?? "";
      const id = `filter-${name}`;
      const input = /** @type {HTMLInputElement | HTMLSelectElement} */ (
        kind === "choice"
          ? h("select", { id, onchange: changed }, choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text)))
          : h("input", {
              id, type: kind === "check" ? "checkbox" : kind, placeholder: hint || false, min: kind === "number" ? 0 : null, step: kind === "number" ? "any" : null,
              autocomplete: "off", spellcheck: "false", oninput: changed, ...(kind === "check" ? { checked: value !== "" } : { value }),
            })
      );
      inputs[name] = input;
      return h("label", { class: `field field-${kind}`, for: id }, h("span", {}, label), input);
    }),
  );
  return { form, values, inputs };
}

/** A button that asks for older rows. @param {() => void} more */
function older(more) {
  return h("button", { type: "button", class: "older", id: "older", onclick: more }, "Look further back");
}

/** What is said where a word is not written to its end and many begin so. */
const unfinished = () => h("p", { class: "note" }, "Many words begin like the last one, and only the first of them were looked for. Write more of it, or a space after it.");

/** The answers that a list gives page by page, so many of them at the most. @param {string} name @param {Record<string, any>} asked @param {number} most */
export async function pagesOf(name, asked, most) {
  const answers = [await ask(name, asked)];
  while (answers[answers.length - 1].before && answers.length < most) answers.push(await ask(name, { ...asked, before: answers[answers.length - 1].before }));
  return answers;
}

/**
 * A list with its fields above it. `draw` makes its rows of the answers so far.
 * @param {HTMLElement} root @param {import("./main.js").Place} place
 * @param {{title: string, name: string, fields: Field[], draw: (answers: any[], above: ReturnType<typeof filters>) => any}} list
 */
export function listed(root, place, { title, name, fields, draw }) {
  const above = filters(place, fields);
  const body = h("div", {});
  let pages = 1;
  root.append(h("h1", {}, title), above.form, body);
  const refresh = async () => {
    const answers = await pagesOf(name, above.values(), pages);
    show(body, ...framed(answers, await draw(answers, above), () => { pages += 1; refresh(); }));
  };
  return { refresh };
}

/** The rows of a list, and what is said above and below them. @param {any[]} answers @param {any} rows @param {() => void} more */
export function framed(answers, rows, more) {
  const { cut, before } = answers[answers.length - 1];
  return [cut ? unfinished() : null, rows, before ? older(more) : null];
}
