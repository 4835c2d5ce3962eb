import { login, LoginProblem, placeInAddress, type Ticket, watch, type Who } from "../net/api";
import type { GridAbout } from "../net/messages";
import { texts } from "../texts";
import { h } from "./dom";

const KEPT = "mainland.name";

/** Ask who comes, and log in. An address with `?watch` asks nothing: whoever opens it looks at the place in it. */
export function askLogin(app: HTMLElement, grid: GridAbout): Promise<Ticket> {
  const t = texts.login;
  return new Promise((resolve) => {
    let asGuest = grid.guests;
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Record<string, string>;
    const field = (name: string, label: string, type = "text", complete = "off") => {
      const input = h("input", { name, type, autocomplete: complete, required: true, maxlength: name === "guest" ? "31" : "255", spellcheck: "false" });
      input.value = kept[name] ?? "";
      return h("label", {}, label, input);
    };
    const guest = h("div", { class: "fields" }, field("guest", t.guestName, "text", "nickname"));
    const account = h(
      "div",
      { class: "fields" },
      field("first", t.first, "text", "given-name"),
      field("last", t.last, "text", "family-name"),
      field("password", t.password, "password", "current-password"),
    );
    const other = h("button", { type: "button", class: "link" });
    const enter = h("button", { type: "submit", class: "main" }, t.enter);
    const look = h("button", { type: "button", class: "link", hidden: !grid.spectators }, t.watch);
    const problem = h("p", { role: "alert", class: "problem" });
    const place = placeInAddress();
    const form = h(
      "form",
      { class: "login card", "aria-labelledby": "login-heading" },
      h("h1", { id: "login-heading" }, grid.name),
      h("p", { class: "quiet" }, place ? t.place(place.region) : t.heading),
      guest,
      account,
      problem,
      enter,
      other,
      look,
    );
    const show = () => {
      for (const [part, on] of [[guest, asGuest], [account, !asGuest]] as const) {
        part.hidden = !on;
        for (const input of part.querySelectorAll("input")) input.disabled = !on;
      }
      other.textContent = asGuest ? t.withAccount : t.asGuest;
      other.hidden = !grid.guests;
      form.querySelector<HTMLInputElement>("input:enabled")!.focus();
    };
    other.onclick = () => {
      asGuest = !asGuest;
      show();
    };
    const attempt = async (begin: () => Promise<Ticket>) => {
      enter.disabled = look.disabled = true;
      enter.textContent = t.entering;
      problem.textContent = "";
      try {
        const ticket = await begin();
        form.remove();
        resolve(ticket);
      } catch (error) {
        if (!(error instanceof LoginProblem)) throw error;
        // A refusal brings the grid's own words.
        problem.textContent = (error.title === "refused" && error.message) || (t.problems[error.title] ?? t.problems.grid);
        form.querySelector<HTMLInputElement>(asGuest ? "[name=guest]" : "[name=password]")!.focus();
      } finally {
        enter.disabled = look.disabled = false;
        enter.textContent = t.enter;
      }
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const data = Object.fromEntries(new FormData(form)) as Record<string, string>;
      const who: Who = asGuest ? { guest: data.guest } : { first: data.first, last: data.last, password: data.password };
      void attempt(async () => {
        const ticket = await login(who, place);
        localStorage.setItem(KEPT, JSON.stringify({ ...kept, ...data, password: "" }));
        return ticket;
      });
    };
    look.onclick = () => void attempt(() => watch(place));
    app.append(form);
    show();
    if (grid.spectators && new URLSearchParams(location.search).has("watch")) look.click();
  });
}
