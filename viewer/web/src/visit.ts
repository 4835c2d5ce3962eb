/** One visit: the connection, the world it tells of, and what the person does in it. */
import { Vector3 } from "three";
import { Handle } from "./handle";
import type { Grid, Ticket } from "./net/api";
import * as frames from "./net/frames";
import { GridClock } from "./net/clock";
import { Connection, type Told } from "./net/socket";
import { FollowCamera } from "./scene/camera";
import { Sky, SUNS } from "./scene/sky";
import { Stage } from "./scene/stage";
import { Water } from "./scene/water";
import { texts } from "./texts";
import { Asked } from "./ui/asked";
import { Chat } from "./ui/chat";
import { Controls } from "./ui/controls";
import { h } from "./ui/dom";
import { MiniMap, WorldMap } from "./ui/map";
import { Banner, Figures, helpPanel } from "./ui/panels";
import { shareButton } from "./ui/share";
import { Ghost } from "./world/ghost";
import { World, type Region } from "./world/world";

/** Run a visit until it ends; resolves with the words that say how. Throws when nothing can be drawn. */
export function enter(app: HTMLElement, canvas: HTMLCanvasElement, { token, watching }: Ticket, grid: Grid): Promise<string> {
  const stage = new Stage(canvas);
  const sky = new Sky(stage.scene, !stage.software);
  const water = new Water(stage.scene, sky);
  const world = new World(stage);
  const camera = new FollowCamera(stage.camera);
  const state = (window.mainland = new Handle(app, world, stage, sky));
  const ghost = watching ? new Ghost() : null;
  const began = performance.now();
  const now = () => performance.now() / 1000;

  const banner = new Banner();
  const figures = new Figures();
  const help = helpPanel();
  const minimap = new MiniMap();
  const place = h("p", { class: "place" });
  const chat = new Chat(
    {
      say: (text, type) => connection.send("say", { text, type }),
      im: (to, text) => connection.send("im", { to, text }),
      typing: (on) => connection.send("typing", { on }),
    },
    () => world.agent,
  );
  const asked = new Asked((kind, fields) => connection.send(kind, fields), () => canvas.focus());
  const map = new WorldMap((region) => {
    banner.say(texts.status.teleporting(region), 10);
    connection.send("teleport", { region, position: [128, 128, 40] });
  });

  // -- actions

  const pressed = { fly: false, run: false };
  const button = (label: string, act: () => void, toggles = false) => {
    const made = h("button", { type: "button" }, label);
    if (toggles) made.setAttribute("aria-pressed", "false");
    made.onclick = () => {
      act();
      canvas.focus();
    };
    return made;
  };
  const toggle = (what: "fly" | "run") => {
    pressed[what] = !pressed[what];
    bar[what].setAttribute("aria-pressed", String(pressed[what]));
    if (!ghost) connection.send(what, { on: pressed[what] });
  };
  const sits = () => {
    const playing = world.me?.figure?.playing;
    return !!world.me?.parent || !!playing?.has("1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e");
  };
  const bar = {
    fly: button(texts.bar.fly, () => toggle("fly"), true),
    run: button(ghost ? texts.bar.fast : texts.bar.run, () => toggle("run"), true),
    sit: button(texts.bar.sit, () => connection.send(sits() ? "stand" : "sit")),
    map: button(texts.bar.map, () => connection.send("map")),
    figures: button(texts.bar.figures, () => figures.toggle()),
    help: button(texts.bar.help, () => help.showModal()),
  };
  const leave = h("button", { type: "button" }, texts.bar.leave);
  leave.onclick = () => connection.leave();
  const comeIn = h("button", { type: "button", class: "main" }, texts.bar.comeIn);
  comeIn.onclick = () => {
    connection.leave();
    const address = location.pathname + location.hash;
    if (location.search) location.assign(address);
    else location.reload();
  };
  const share = shareButton(grid.spectators, () => canvas.focus());
  const sun = h("select", { "aria-label": texts.bar.sun }, ...Object.entries(texts.bar.suns).map(([value, label]) => h("option", { value }, label)));
  let regionSun: [number, number, number] = [0.5, 0, 0.87];
  const setSun = () => {
    const angle = SUNS[sun.value as keyof typeof SUNS];
    const radians = ((angle ?? 0) * Math.PI) / 180;
    sky.set(angle === undefined ? regionSun : [Math.cos(radians), 0, Math.sin(radians)]);
  };
  sun.onchange = setSun;

  const controls = new Controls(canvas, camera, {
    keys: (flags, yaw) => ghost || connection.send("keys", { flags, yaw }),
    act: (what) => {
      if (what === "figures") figures.toggle();
      else if (what === "help") help.showModal();
      else if (what === "run") toggle(what);
      else if (ghost) return;
      else if (what === "chat") chat.input.focus();
      else if (what === "map") connection.send("map");
      else toggle(what);
    },
    click: (at, shift) => {
      const thing = ghost ? null : world.pick(at);
      if (!thing) return;
      asked.expect(now());
      connection.send(shift ? "sit" : "touch", { n: thing.n });
    },
  });
  state.look = (yaw, around, pitch, distance) => {
    controls.yaw = yaw;
    Object.assign(camera, { around, pitch, distance });
    camera.arrive();
    state.touched();
  };
  state.leave = () => connection.leave();
  const actions = ghost
    ? [bar.run, bar.figures, sun, share.button, bar.help, comeIn, leave]
    : [bar.fly, bar.run, bar.sit, bar.map, bar.figures, sun, share.button, bar.help, leave];
  app.append(place, minimap.root, figures.root, h("nav", { class: "bar card", "aria-label": texts.bar.label }, ...actions));
  if (!ghost) app.append(chat.root, asked.root, map.root);
  app.append(controls.stick, banner.root, share.dialog, help);
  canvas.focus();
  banner.say(texts.status.arriving);
  const wanted = new URLSearchParams(location.search).get("sun");
  if (wanted) state.sun(wanted);

  // -- what is told

  let stats: Told = { t: "stats", map: [] };
  const clock = (state.grid = new GridClock());
  let regionName = "";
  const tellers: Record<string, (told: Told) => void> = {
    hello: (told) => {
      world.clear();
      chat.clear();
      asked.clear();
      world.agent = told.agent;
      document.title = ghost ? told.grid : `${told.name} · ${told.grid}`;
      lastCamera = "";
      controls.again();
    },
    region: (told) => {
      world.region(told);
      state.touched();
    },
    "region-gone": (told) => world.regionGone(told.at),
    here: (told) => {
      world.hereIs(told);
      ghost?.begin(told.position);
      if (state.standing === null) controls.yaw = told.yaw;
      if (told.name !== regionName && state.standing !== null) banner.say(texts.status.arrived(told.name), 3);
      regionName = told.name;
      controls.again();
    },
    avatar: (told) => world.avatar(told),
    animations: (told) => world.animate(told),
    gone: (told) => world.gone(told.n),
    sun: (told) => {
      regionSun = told.towards;
      setSun();
    },
    chat: (told) => chat.told(told),
    im: (told) => chat.im(told),
    ask: (told) => asked.told(told, now()),
    asked: (told) => asked.gone(told.q),
    alert: (told) => {
      banner.say("");
      chat.notice(told.text);
    },
    notice: () => chat.notice(texts.status.tooFast),
    kicked: (told) => chat.notice(told.text),
    map: (told) => map.show(told.blocks, regionName),
    pong: (told) => clock.told(told.at, performance.now(), told.now),
    stats: (told) => {
      stats = told;
      connection.send("ping", { at: performance.now() });
    },
  };

  let over = false;
  let ended!: (words: string) => void;
  const done = new Promise<string>((resolve) => (ended = resolve));
  const connection = new Connection(token, {
    told: (told) => tellers[told.t]?.(told),
    frame: (data) => {
      const kind = new Uint8Array(data)[0];
      if (kind === frames.MOTIONS) for (const record of frames.motions(data)) world.moved(record, now());
      else if (kind === frames.OBJECTS) {
        const time = now(); // of all: what is told together begins together
        for (const record of frames.objects(data)) world.object(record, time);
      }
      else if (kind === frames.LAND) {
        void frames.land(data).then((land) => {
          world.land(land);
          state.touched();
        });
      }
      if (kind !== frames.MOTIONS) state.touched();
    },
    state: (what) => {
      if (what === "lost") banner.say(texts.status.lost);
      else if (what === "open" && state.standing !== null) banner.say("");
      else if (what === "ended" || what === "elsewhere") {
        over = true;
        ended(what === "elsewhere" ? texts.status.elsewhere : texts.status.ended);
      }
    },
  });

  // -- every frame

  let last = now();
  let fps = 0;
  let nextPanel = 0;
  let lastBytes = 0;
  let nextLook = 0;
  let lastCamera = "";
  const spot = new Vector3();
  const towards = new Vector3();
  const local = new Vector3(); // where one is, in the region
  const frame = () => {
    if (over) {
      stage.renderer.setAnimationLoop(null);
      return;
    }
    const time = now();
    const dt = Math.min(time - last, 0.2);
    fps += ((dt > 0 ? 1 / (time - last) : 0) - fps) * 0.1;
    last = time;
    controls.step(time, dt);
    world.yaw = controls.yaw;
    const shown = state.stopped ?? time;
    world.step(time, shown, dt, state.stopped ?? clock.at(time));
    const home = world.regions.get(world.here);
    const me = whereabouts(home, dt);
    if (!state.place() && me) camera.step(me, controls.yaw, (controls.flags & 0xf) !== 0, world.ground, dt);
    water.step(stage.camera.position, home?.water ?? 20, shown);
    sky.step(stage.camera.position, state.fixed ? stage.camera.position : (me ?? stage.camera.position), shown, dt);
    if (me && home?.heights) {
      stage.draw(dt, world.glows());
      state.frames++;
      if (state.standing === null) {
        state.standing = performance.now() - began;
        banner.say(ghost ? texts.status.watching(regionName) : texts.status.arrived(regionName), ghost ? 8 : 3);
      }
    }
    if (ghost && time > nextLook) {
      nextLook = time + 0.25;
      tellCamera(home);
    }
    minimap.draw(world, home, local.copy(me ?? local).sub(home?.group.position ?? local), stats.map ?? [], controls.yaw, time);
    if (time > nextPanel) {
      const rate = (connection.bytes - lastBytes) / 1024 / 0.5;
      lastBytes = connection.bytes;
      nextPanel = time + 0.5;
      panel(rate);
    }
  };

  /** Where one is, in the scene: the own figure, or what a spectator's camera turns around. */
  const whereabouts = (home: Region | undefined, dt: number): Vector3 | undefined => {
    if (!ghost) return world.me?.figure?.root.position;
    if (!home?.heights) return undefined;
    spot.copy(ghost.position).add(home.group.position);
    ghost.step(controls.flags, controls.yaw, pressed.run, world.ground(spot.x, spot.y), dt);
    return spot.copy(ghost.position).add(home.group.position);
  };

  /** A region chooses by the camera what to show first. */
  const tellCamera = (home: Region | undefined) => {
    if (!home || state.standing === null) return;
    stage.camera.getWorldDirection(towards);
    const at = stage.camera.position.clone().sub(home.group.position).toArray();
    const told = [...at, ...towards.toArray()].map((value) => Math.round(value * 20) / 20);
    if (told.join() === lastCamera) return;
    lastCamera = told.join();
    connection.send("look", { at: told.slice(0, 3), towards: told.slice(3) });
  };

  const panel = (rate: number) => {
    bar.sit.textContent = sits() ? texts.bar.stand : texts.bar.sit;
    const p = state.standing === null ? null : local;
    const written = p ? `${Math.round(p.x)}, ${Math.round(p.y)}, ${Math.round(p.z)}` : "–";
    place.textContent = `${regionName} ${written}`;
    if (p) {
      const address = `#${encodeURIComponent(regionName)}/${written.split(", ").join("/")}`;
      if (location.hash !== address) history.replaceState(null, "", address);
    }
    const info = stage.renderer.info.render;
    const number = (value: unknown, digits = 0) => (typeof value === "number" ? value.toFixed(digits) : "–");
    figures.show({
      fps: number(fps),
      draws: String(info.calls),
      triangles: info.triangles.toLocaleString(),
      region: regionName,
      position: written,
      dilation: number(stats.dilation, 2),
      frames: number(stats.frames, 1),
      ping: `${number(stats.ping, 1)} ms`,
      gateway: `${number(clock.roundTrip, 1)} ms`,
      loss: `${number(typeof stats.loss === "number" ? stats.loss * 100 : undefined, 1)} %`,
      near: number(stats.near),
      seen: number(stats.seen),
      regions: number(stats.regions),
      rate: `${number(rate, 1)} KiB/s`,
    });
  };
  stage.renderer.setAnimationLoop(frame);
  return done;
}
