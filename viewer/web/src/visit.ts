/** One visit: puts together the connection, the world it tells of, and what the person sees and does in it. */
import { Handle } from "./handle";
import { hearing, look } from "./hear";
import type { Ticket } from "./net/api";
import type { GridAbout } from "./net/messages";
import { Connection, type Send } from "./net/socket";
import { FollowCamera } from "./scene/camera";
import { Sky } from "./scene/sky";
import { Bubbles } from "./scene/bubbles";
import { Stage } from "./scene/stage";
import { Water } from "./scene/water";
import { texts } from "./texts";
import { Asked } from "./ui/asked";
import { Bar } from "./ui/bar";
import { Build } from "./ui/build";
import { Chat } from "./ui/chat";
import { Controls } from "./ui/controls";
import { MiniMap, WorldMap } from "./ui/map";
import { Banner, helpPanel } from "./ui/panels";
import { People, PersonCard } from "./ui/people";
import { actOf, Pointing } from "./ui/pointing";
import { Readings } from "./ui/readings";
import { shareButton } from "./ui/share";
import { SunChoice } from "./ui/sun";
import { View } from "./view";
import { Ghost } from "./world/ghost";
import { World } from "./world/world";

const SIT_ON_GROUND = "1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e"; // the animation

/** Run a visit until it ends; resolves with the words that say how. Throws when nothing can be drawn. */
export function enter(app: HTMLElement, canvas: HTMLCanvasElement, { token, watching }: Ticket, grid: GridAbout): Promise<string> {
  const connection = new Connection(token);
  const stage = staged(canvas, connection);
  const sky = new Sky(stage.scene, !stage.software);
  const world = new World(stage);
  const camera = new FollowCamera(stage.camera);
  const state = (window.mainland = new Handle(app, world, stage, sky));
  const ghost = watching ? new Ghost() : null;
  const now = () => performance.now() / 1000;
  const send: Send = (kind, ...fields) => connection.send(kind, ...fields);
  const back = () => canvas.focus();

  // -- what stands over the picture

  const banner = new Banner();
  const readings = new Readings(stage);
  const help = helpPanel();
  const minimap = new MiniMap();
  const chat = new Chat(
    { say: (text, type) => send("say", { text, type }), im: (to, text) => send("im", { to, text }), typing: (on) => send("typing", { on }) },
    () => world.agent,
  );
  const asked = new Asked(send, back);
  const map = new WorldMap((region) => {
    banner.say(texts.status.teleporting(region), 10);
    send("teleport", { region, position: [128, 128, 40] });
  });
  const pointing = new Pointing(canvas, stage, world, send);
  const people = new People(world, (who) => person.open(who), back);
  const person: PersonCard = new PersonCard(send, world, people, (who) => chat.answer(who), (text) => chat.notice(text), back);
  const build = new Build(canvas, stage, world, send, (words) => chat.notice(words), back); // before Controls: its handles come first
  const bubbles = (state.bubbles = new Bubbles());
  const share = shareButton(grid.spectators, back);
  const sun = new SunChoice(sky);
  const sits = () => !!world.me?.parent || !!world.me?.figure?.playing.has(SIT_ON_GROUND);
  const bar = new Bar(
    {
      fly: (on) => send("fly", { on }),
      run: (on) => ghost || send("run", { on }),
      sit: () => (sits() ? send("stand") : send("sit")),
      map: () => send("map"),
      people: () => people.toggle(),
      build: () => build.toggle(),
      figures: () => readings.figures.toggle(),
      help: () => help.showModal(),
      leave: () => connection.leave(),
      comeIn: () => {
        connection.leave();
        if (location.search) location.assign(location.pathname + location.hash);
        else location.reload();
      },
      back,
    },
    watching,
    [sun.root, share.button],
  );
  const controls = new Controls(canvas, camera, {
    keys: (flags, yaw) => ghost || send("keys", { flags, yaw }),
    act: (what) => {
      if (what === "figures") readings.figures.toggle();
      else if (what === "help") help.showModal();
      else if (what === "run") bar.toggle(what);
      else if (ghost) return;
      else if (what === "chat") chat.input.focus();
      else if (what === "people") people.toggle();
      else if (what === "build") build.toggle();
      else if (what === "map") send("map");
      else bar.toggle(what);
    },
    busy: () => build.held,
    key: (code) => build.key(code),
    click: (at, shift) => {
      if (build.click(at, shift)) return;
      const thing = ghost ? null : world.point(at);
      if (!thing) return;
      if (thing.figure) person.open({ id: thing.id!, name: thing.name! });
      else {
        asked.expect(now());
        send(shift || actOf(thing) === "sit" ? "sit" : "touch", { n: thing.n });
      }
    },
  });
  const view = new View(stage, sky, new Water(stage.scene, sky), world, camera, controls, state, ghost, () => bar.pressed.run, send);
  view.onStanding = () => banner.say(ghost ? texts.status.watching(regionName) : texts.status.arrived(regionName), ghost ? 8 : 3);
  state.look = (yaw, around, pitch, distance) => {
    controls.yaw = yaw;
    Object.assign(camera, { around, pitch, distance });
    camera.arrive();
    state.touched();
  };
  state.choose = (n) => build.pick(world.things.get(n) ?? null, false);
  state.leave = () => connection.leave();
  app.append(readings.place, minimap.root, readings.figures.root, bar.root);
  if (!ghost) app.append(chat.root, asked.root, map.root, people.root, person.root, build.root, pointing.root);
  app.append(controls.stick, banner.root, share.dialog, help);
  back();
  banner.say(texts.status.arriving);
  const wanted = new URLSearchParams(location.search).get("sun");
  if (wanted) state.sun(wanted);

  // -- what is told

  let regionName = "";
  const told = hearing({
    hello: (hello) => {
      world.clear();
      chat.clear();
      asked.clear();
      pointing.clear();
      build.clear();
      world.agent = hello.agent;
      document.title = ghost ? hello.grid : `${hello.name} · ${hello.grid}`;
      view.again();
      controls.again();
    },
    region: (region) => {
      world.region(region);
      state.touched();
    },
    "region-gone": ({ at }) => world.regionGone(at),
    here: (here) => {
      world.hereIs(here);
      ghost?.begin(here.position);
      if (state.standing === null) controls.yaw = here.yaw;
      if (here.name !== regionName && state.standing !== null) banner.say(texts.status.arrived(here.name), 3);
      regionName = here.name;
      controls.again();
    },
    avatar: (avatar) => world.avatar(avatar),
    animations: (animations) => world.animate(animations),
    gone: ({ n }) => {
      world.gone(n);
      pointing.gone(n);
    },
    sun: ({ towards }) => sun.told(towards),
    chat: (line) => {
      chat.told(line);
      const figure = line.type < 4 && line.id !== world.agent ? world.figureOf(line.id) : null;
      if (figure) bubbles.say(figure, line.text, now());
    },
    im: (message) => chat.im(message),
    about: (about) => {
      pointing.told(about);
      build.told(about);
    },
    made: ({ n }) => build.madeIs(n),
    profile: (profile) => person.told(profile),
    friends: ({ friends }) => people.told(friends),
    ask: (ask) => asked.told(ask, now()),
    asked: ({ q }) => asked.gone(q),
    alert: ({ text }) => {
      banner.say("");
      chat.notice(text);
    },
    notice: () => chat.notice(texts.status.tooFast),
    kicked: ({ text }) => chat.notice(text),
    refused: ({ why }) => console.warn(`the gateway did not understand the page: ${why}`),
    map: ({ blocks }) => map.show(blocks, regionName),
    pong: (pong) => state.grid.told(pong.at, performance.now(), pong.now),
    stats: (stats) => {
      readings.stats = stats;
      send("ping", { at: performance.now() });
    },
  });

  let over = false;
  let ended!: (words: string) => void;
  const done = new Promise<string>((resolve) => (ended = resolve));
  connection.listen({
    told,
    frame: (data) => look(world, data, now(), () => state.touched()),
    state: (what) => {
      if (what === "lost") banner.say(texts.status.lost);
      else if (what === "open" && state.standing !== null) banner.say("");
      else if (what === "ended" || what === "elsewhere") {
        over = true;
        ended(what === "elsewhere" ? texts.status.elsewhere : texts.status.ended);
      }
    },
  });

  stage.renderer.setAnimationLoop(() => {
    if (over) {
      stage.renderer.setAnimationLoop(null);
      return;
    }
    const time = now();
    readings.drawn(view.step(time));
    minimap.draw(world, world.regions.get(world.here), view.local, readings.stats?.map ?? [], controls.yaw, time);
    bubbles.step(time, stage.camera.position);
    if (!ghost) {
      pointing.step(time);
      people.step(time);
      build.step(time);
    }
    bar.seated(sits());
    readings.step(time, regionName, state.standing === null ? null : view.local, state.grid.roundTrip, connection.bytes);
  });
  return done;
}

/** What is drawn on; who cannot draw stands in nobody's way. */
function staged(canvas: HTMLCanvasElement, connection: Connection): Stage {
  try {
    return new Stage(canvas);
  } catch (error) {
    connection.listen({ told: () => {}, frame: () => {}, state: (state) => state === "open" && connection.leave() });
    throw error;
  }
}
