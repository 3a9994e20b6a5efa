/* The filter fields over a list. Their values are in the address, so that it can be shared. */

import { h } from "./dom.js";

/**
 * @param {import("./main.js").Place} place
 * @param {{name: string, label: string, kind?: "search" | "number" | "check" | "choice", choices?: [string, string][], hint?: string}[]} fields
 */
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
export function older(more) {
  return h("button", { type: "button", class: "older", id: "older", onclick: more }, "Look further back");
}

/** The note for an unfinished word if too many words begin like it. */
export const unfinished = () => h("p", { class: "note" }, "Many words begin like the last one, and only the first of them were looked for. Write more of it, or a space after it.");
