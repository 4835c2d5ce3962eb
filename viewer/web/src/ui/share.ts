import { texts } from "../texts";
import { h } from "./dom";

const t = texts.share;

/** The address of where one is; whoever opens it looks at that place, or comes in there. */
export function shareButton(spectators: boolean, back: () => void): { button: HTMLButtonElement; dialog: HTMLDialogElement } {
  const field = h("input", { type: "text", readonly: true, "aria-label": t.address });
  const close = h("button", { type: "button" }, texts.map.close);
  const dialog = h("dialog", { class: "card", "aria-labelledby": "share-heading" },
    h("h2", { id: "share-heading" }, t.heading), h("p", { class: "quiet" }, spectators ? t.watchers : t.visitors), field, close);
  close.onclick = () => dialog.close();
  dialog.onclose = back;
  const button = h("button", { type: "button" }, t.button);
  button.onclick = async () => {
    field.value = `${location.origin}${location.pathname}${spectators ? "?watch" : ""}${location.hash}`;
    dialog.showModal();
    field.select();
    // Browsers let pages write there over HTTPS and from this machine only; else people copy what is marked.
    const copied = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
    dialog.querySelector("h2")!.textContent = copied ? t.copied : t.heading;
  };
  return { button, dialog };
}
