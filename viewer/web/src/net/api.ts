/** Questions to the gateway that need no session. */
import type { AccountLogin, GridAbout, GuestLogin, Place, Problem, Token, Watch } from "./messages";

/** What opens the socket, and whether it is for looking only. */
export interface Ticket {
  token: string;
  watching: boolean;
}

export type Who = Omit<GuestLogin, "place"> | Omit<AccountLogin, "place">;

/** A login that did not work; `title` is one of `texts.login.problems`. */
export class LoginProblem extends Error {
  constructor(
    readonly title: string,
    message: string,
  ) {
    super(message);
  }
}

export async function grid(): Promise<GridAbout> {
  return (await fetch("api/grid")).json();
}

/** Log in. Throws LoginProblem. */
export async function login(who: Who, place: Place | null): Promise<Ticket> {
  return { token: await ask("api/login", { ...who, place } satisfies GuestLogin | AccountLogin), watching: false };
}

/** Look, without an account. Throws LoginProblem. */
export async function watch(place: Place | null): Promise<Ticket> {
  return { token: await ask("api/watch", { place } satisfies Watch), watching: true };
}

async function ask(path: string, form: unknown): Promise<string> {
  let reply: Response;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(form),
    });
  } catch {
    throw new LoginProblem("network", "");
  }
  const answer = (await reply.json().catch(() => ({}))) as Partial<Token & Problem>;
  if (!reply.ok || !answer.token) throw new LoginProblem(String(answer.title), answer.description ?? "");
  return answer.token;
}

/** The place in the page's address, as `#Harbour/128/128/25`. */
export function placeInAddress(): Place | null {
  const parts = decodeURIComponent(location.hash.slice(1)).split("/");
  const position = parts.slice(1, 4).map(Number);
  if (!parts[0] || parts[0].length > 63 || position.length !== 3 || !position.every(Number.isFinite)) return null;
  return { region: parts[0], position: position as [number, number, number] };
}
