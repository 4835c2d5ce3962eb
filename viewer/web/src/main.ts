/** The page: ask who comes, then stand in the world. */
import { grid as askGrid } from "./net/api";
import type { GridAbout } from "./net/messages";
import { texts } from "./texts";
import { enter } from "./visit";
import { askLogin } from "./ui/login";
import { h } from "./ui/dom";
import "./ui/style.css";

const app = document.getElementById("app")!;

async function begin(grid: GridAbout): Promise<void> {
  app.classList.add("outside");
  const ticket = await askLogin(app, grid);
  app.classList.remove("outside");
  const canvas = h("canvas", { id: "view", tabindex: "0", role: "application", "aria-label": texts.world });
  app.replaceChildren(canvas);
  let end: string;
  try {
    end = await enter(app, canvas, ticket, grid);
  } catch (error) {
    console.error(error);
    end = texts.login.noWebGL;
  }
  // What was drawn stays behind the words; a new visit starts from a fresh page.
  const again = h("button", { class: "main", type: "button" }, texts.status.again);
  again.onclick = () => location.reload();
  app.append(h("section", { class: "again card", role: "alertdialog", "aria-label": end }, h("p", {}, end), again));
  again.focus();
}

askGrid()
  .catch(() => ({ name: texts.title, guests: false, spectators: false }))
  .then(begin);
