/** Make an element: `h("button", {class: "round"}, "Go")`. Text is always text, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string | boolean> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Texts from strangers: one line, no tricks with the direction of what surrounds it. */
export function name(text: string): HTMLElement {
  return h("bdi", {}, text.replace(/\s+/g, " "));
}
