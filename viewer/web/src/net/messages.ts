// Made by `python -m viewer.gateway.typescript` from viewer/gateway/messages.py: change that.

/** A spot in a region, as the page's address tells it. */
export interface Place {
  region: string;
  position: [number, number, number];
}

/** POST /api/login with an account. */
export interface AccountLogin {
  first: string;
  last?: string;
  password: string;
  place?: Place | null;
}

/** POST /api/login by a name alone. */
export interface GuestLogin {
  guest: string;
  place?: Place | null;
}

/** POST /api/watch: to look, without an account or an avatar. */
export interface Watch {
  place?: Place | null;
}

/** What opens the socket, once. */
export interface Token {
  token: string;
}

/** GET /api/grid. */
export interface GridAbout {
  name: string;
  guests: boolean;
  spectators: boolean;
}

/** Why a login did not work: a word of ours, and words for people. */
export interface Problem {
  title: string;
  description: string;
}

/** Control flags held, and where the body faces (radians). */
export interface Keys {
  t: "keys";
  flags: number;
  yaw: number;
}

/** Whisper, say, shout. */
export interface Say {
  t: "say";
  text: string;
  type?: 0 | 1 | 2;
}

/** Show the others that somebody types, or no longer does. */
export interface Typing {
  t: "typing";
  on: boolean;
}

/** Start or stop flying. */
export interface Fly {
  t: "fly";
  on: boolean;
}

/** Run, or walk. */
export interface Run {
  t: "run";
  on: boolean;
}

/** On a thing; without one on the ground. */
export interface Sit {
  t: "sit";
  n?: number | null;
}

/** Up from a seat. */
export interface Stand {
  t: "stand";
}

/** Click on a thing. */
export interface Touch {
  t: "touch";
  n: number;
}

/** To what a script asked (``ask``): a button's number, a text or a grant; nothing of it ignores the question. */
export interface Answer {
  t: "answer";
  q: number;
  button?: number | null;
  text?: string | null;
  grant?: boolean | null;
}

/** Hear no more of the thing that asked this. */
export interface Block {
  t: "block";
  q: number;
}

/** A message to one person. */
export interface SendIm {
  t: "im";
  to: string;
  text: string;
}

/** To a region by its name, metres in it. */
export interface Teleport {
  t: "teleport";
  region: string;
  position?: [number, number, number];
}

/** Every region; answered as ``map``. */
export interface AskMap {
  t: "map";
}

/** What a thing is called and whose it is; answered as ``about``. */
export interface AskAbout {
  t: "about";
  n: number;
}

/** What somebody tells about themselves; answered as ``profile``. */
export interface AskProfile {
  t: "profile";
  id: string;
}

/** Offer friendship. */
export interface Befriend {
  t: "befriend";
  id: string;
}

/** Hear no more of a person (or again), for as long as the session lasts. */
export interface Mute {
  t: "mute";
  id: string;
  on: boolean;
}

/** Answered as ``pong``; ``at`` comes back as it was. */
export interface Ping {
  t: "ping";
  at: number;
}

/** Log out. */
export interface Leave {
  t: "leave";
}

/** A new prim that stands at a point of the region with that corner, answered as ``made``. */
export interface Make {
  t: "make";
  form: "box" | "cylinder" | "prism" | "sphere" | "torus" | "tube" | "ring";
  corner: [number, number];
  position: [number, number, number];
  size: [number, number, number];
}

/** Move, turn (x, y, z, w) or stretch a thing with all that is linked to it. */
export interface Shape {
  t: "shape";
  n: number;
  position?: [number, number, number] | null;
  rotation?: [number, number, number, number] | null;
  size?: [number, number, number] | null;
}

/** What a thing is called, and what is to be known of it. */
export interface Describe {
  t: "describe";
  n: number;
  name?: string | null;
  description?: string | null;
}

/** How all faces of a prim look, or one of them; what is not said stays. */
export interface Paint {
  t: "paint";
  n: number;
  face?: number | null;
  color?: [number, number, number] | null;
  opacity?: number | null;
  glow?: number | null;
  bright?: boolean | null;
  texture?: string | null;
}

/** Whether a thing falls and is pushed, and whether one goes through it. */
export interface Behave {
  t: "behave";
  n: number;
  physical: boolean;
  phantom: boolean;
}

/** Copies of things, so many metres from each. */
export interface Duplicate {
  t: "duplicate";
  ns: number[];
  offset: [number, number, number];
}

/** Link things; the first is the root. */
export interface Join {
  t: "join";
  ns: number[];
}

/** Take a linkset apart. */
export interface Part {
  t: "part";
  n: number;
}

/** Throw things away: into one's trash. */
export interface Discard {
  t: "discard";
  ns: number[];
}

/** A spectator's camera: metres in the region it looks into first, and a direction. */
export interface Look {
  t: "look";
  at: [number, number, number];
  towards: [number, number, number];
}

/** What the page sends. */
export type Sent =
  | Keys
  | Say
  | Typing
  | Fly
  | Run
  | Sit
  | Stand
  | Touch
  | Answer
  | Block
  | SendIm
  | Teleport
  | AskMap
  | AskAbout
  | AskProfile
  | Befriend
  | Mute
  | Ping
  | Leave
  | Make
  | Shape
  | Describe
  | Paint
  | Behave
  | Duplicate
  | Join
  | Part
  | Discard
  | Look;

/** A region on the map; place in regions. */
export interface MapBlock {
  x: number;
  y: number;
  name: string;
  agents: number;
}

/** A friend. */
export interface FriendTold {
  id: string;
  name: string;
  online: boolean;
}

/** The first of a connection; ``token`` opens the next one. All that was told before is void. */
export interface Hello {
  t: "hello";
  token: string;
  grid: string;
  agent: string;
  name: string;
  watching: boolean;
}

/** A region in view: its south-west corner in the grid, its water, the textures of its ground and where they begin. */
export interface RegionTold {
  t: "region";
  at: [number, number];
  name: string;
  water: number;
  ground: string[];
  heights: number[];
}

/** Out of view. */
export interface RegionGone {
  t: "region-gone";
  at: [number, number];
}

/** The region one stands in (or looks into first), and where one arrives. */
export interface Here {
  t: "here";
  at: [number, number];
  name: string;
  position: [number, number, number];
  yaw: number;
}

/** A person in view; ``n`` is what motions call it. */
export interface AvatarTold {
  t: "avatar";
  n: number;
  id: string;
  name: string;
  at: [number, number];
  own: boolean;
  size: [number, number, number];
}

/** Everything an avatar plays now. */
export interface Animations {
  t: "animations";
  id: string;
  playing: string[];
}

/** A thing or person out of view. */
export interface Gone {
  t: "gone";
  n: number;
}

/** Where it stands: a unit vector, z up. */
export interface Sun {
  t: "sun";
  towards: [number, number, number];
}

/** Something said aloud, or somebody typing (``type`` 4, 5). ``source``: 0 system, 1 person, 2 thing. */
export interface ChatTold {
  t: "chat";
  name: string;
  id: string;
  source: number;
  type: number;
  audible: number;
  text: string;
}

/** A message of one person; ``old``: it was kept while one was away. */
export interface ImTold {
  t: "im";
  name: string;
  id: string;
  text: string;
  old: boolean;
}

/** A script asks: a dialog's buttons, a line of text, permissions (bits in ``asked``) or to open a page. Or a person
    (``object`` is their name) offers friendship. */
export interface Ask {
  t: "ask";
  q: number;
  kind: "dialog" | "text" | "permissions" | "page" | "friend";
  object: string;
  owner: string;
  text: string;
  buttons: string[] | null;
  asked: number | null;
  url: string | null;
}

/** What was asked waits no more. */
export interface Asked {
  t: "asked";
  q: number;
}

/** The grid tells the person something. */
export interface Alert {
  t: "alert";
  text: string;
}

/** The gateway does: what was asked came too fast. */
export interface Notice {
  t: "notice";
  what: "too-fast";
}

/** Sent out of the world, and why. */
export interface Kicked {
  t: "kicked";
  text: string;
}

/** The answer to ``about``: a thing's name, description and owner's name, as far as there are any. */
export interface AboutTold {
  t: "about";
  n: number;
  name: string;
  description: string;
  owner: string;
}

/** The answer to ``make``: the new thing's number. */
export interface MadeTold {
  t: "made";
  n: number;
}

/** The answer to ``profile``; ``born``: the day they came, in the grid's words. */
export interface ProfileTold {
  t: "profile";
  id: string;
  about: string;
  born: string;
  online: boolean;
}

/** All friends, whenever one of them changes. */
export interface FriendsTold {
  t: "friends";
  friends: FriendTold[];
}

/** The answer to ``map``. */
export interface MapTold {
  t: "map";
  blocks: MapBlock[];
}

/** ``at`` as it came, and the gateway's clock (unix seconds). */
export interface Pong {
  t: "pong";
  at: number;
  now: number;
}

/** Figures, once a second; what is not known is null. ``map``: who is where, id and metres in the grid. */
export interface Stats {
  t: "stats";
  region: string;
  dilation: number | null;
  frames: number | null;
  physics: number | null;
  objects: number | null;
  agents: number | null;
  children: number | null;
  ping: number | null;
  loss: number | null;
  near: number;
  seen: number;
  regions: number;
  bytes: number;
  map: [string, number, number][];
}

/** A message of the browser that was not understood: its kind as far as it could be read, and what is wrong with it. */
export interface Refused {
  t: "refused";
  of: string;
  why: string;
}

/** What the gateway tells. */
export type Told =
  | Hello
  | RegionTold
  | RegionGone
  | Here
  | AvatarTold
  | Animations
  | Gone
  | Sun
  | ChatTold
  | ImTold
  | Ask
  | Asked
  | Alert
  | Notice
  | Kicked
  | AboutTold
  | MadeTold
  | ProfileTold
  | FriendsTold
  | MapTold
  | Pong
  | Stats
  | Refused;

/** Every `t` of them. */
export const TOLD: ReadonlySet<string> = new Set<Told["t"]>([
  "hello",
  "region",
  "region-gone",
  "here",
  "avatar",
  "animations",
  "gone",
  "sun",
  "chat",
  "im",
  "ask",
  "asked",
  "alert",
  "notice",
  "kicked",
  "about",
  "made",
  "profile",
  "friends",
  "map",
  "pong",
  "stats",
  "refused",
]);
