/** One visit: the connection, the world it tells of, and what the person does in it. */
import { Handle } from "./handle";
import * as frames from "./net/frames";
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
import { World } from "./world/world";

/** Run a visit until it ends; resolves with the words that say how. Throws when nothing can be drawn. */
export function enter(app: HTMLElement, canvas: HTMLCanvasElement, token: string): Promise<string> {
  const stage = new Stage(canvas);
  const sky = new Sky(stage.scene, !stage.software);
  const water = new Water(stage.scene, sky);
  const world = new World(stage);
  const camera = new FollowCamera(stage.camera);
  const state = (window.mainland = new Handle(app, world, stage, sky));
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
    connection.send(what, { on: pressed[what] });
  };
  const sits = () => {
    const playing = world.me?.figure?.playing;
    return !!world.me?.parent || !!playing?.has("1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e");
  };
  const bar = {
    fly: button(texts.bar.fly, () => toggle("fly"), true),
    run: button(texts.bar.run, () => toggle("run"), true),
    sit: button(texts.bar.sit, () => connection.send(sits() ? "stand" : "sit")),
    map: button(texts.bar.map, () => connection.send("map")),
    figures: button(texts.bar.figures, () => figures.toggle()),
    help: button(texts.bar.help, () => help.showModal()),
  };
  const leave = h("button", { type: "button" }, texts.bar.leave);
  leave.onclick = () => connection.leave();
  const sun = h("select", { "aria-label": texts.bar.sun }, ...Object.entries(texts.bar.suns).map(([value, label]) => h("option", { value }, label)));
  let regionSun: [number, number, number] = [0.5, 0, 0.87];
  const setSun = () => {
    const angle = SUNS[sun.value as keyof typeof SUNS];
    const radians = ((angle ?? 0) * Math.PI) / 180;
    sky.set(angle === undefined ? regionSun : [Math.cos(radians), 0, Math.sin(radians)]);
  };
  sun.onchange = setSun;

  const controls = new Controls(canvas, camera, {
    keys: (flags, yaw) => connection.send("keys", { flags, yaw }),
    act: (what) => {
      if (what === "chat") chat.input.focus();
      else if (what === "map") connection.send("map");
      else if (what === "figures") figures.toggle();
      else if (what === "help") help.showModal();
      else toggle(what);
    },
    click: (at, shift) => {
      const thing = world.pick(at);
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
  app.append(
    place, minimap.root, figures.root, chat.root,
    h("nav", { class: "bar card", "aria-label": texts.bar.label }, bar.fly, bar.run, bar.sit, bar.map, bar.figures, sun, bar.help, leave),
    controls.stick, asked.root, banner.root, map.root, help,
  );
  canvas.focus();
  banner.say(texts.status.arriving);
  const wanted = new URLSearchParams(location.search).get("sun");
  if (wanted) state.sun(wanted);

  // -- what is told

  let stats: Told = { t: "stats", map: [] };
  let roundTrip = 0;
  let regionName = "";
  const tellers: Record<string, (told: Told) => void> = {
    hello: (told) => {
      world.clear();
      chat.clear();
      asked.clear();
      world.agent = told.agent;
      document.title = `${told.name} · ${told.grid}`;
      controls.again();
    },
    region: (told) => {
      world.region(told);
      state.touched();
    },
    "region-gone": (told) => world.regionGone(told.at),
    here: (told) => {
      world.hereIs(told);
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
    pong: (told) => (roundTrip = performance.now() - told.at),
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
      else if (kind === frames.OBJECTS) for (const record of frames.objects(data)) world.object(record);
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
    world.step(time, shown, dt);
    const home = world.regions.get(world.here);
    const me = world.me?.figure?.root.position;
    if (!state.place() && me) camera.step(me, controls.yaw, (controls.flags & 0xf) !== 0, world.ground, dt);
    water.step(stage.camera.position, home?.water ?? 20, shown);
    sky.step(stage.camera.position, state.fixed ? stage.camera.position : (me ?? stage.camera.position), shown, dt);
    if (me && home?.heights) {
      stage.draw(dt);
      state.frames++;
      if (state.standing === null) {
        state.standing = performance.now() - began;
        banner.say(texts.status.arrived(regionName), 3);
      }
    }
    minimap.draw(world, stats.map ?? [], controls.yaw, time);
    if (time > nextPanel) {
      const rate = (connection.bytes - lastBytes) / 1024 / 0.5;
      lastBytes = connection.bytes;
      nextPanel = time + 0.5;
      panel(rate);
    }
  };

  const panel = (rate: number) => {
    bar.sit.textContent = sits() ? texts.bar.stand : texts.bar.sit;
    const p = world.me?.motion.position;
    const spot = p ? `${Math.round(p.x)}, ${Math.round(p.y)}, ${Math.round(p.z)}` : "–";
    place.textContent = `${regionName} ${spot}`;
    if (p && state.standing !== null) {
      const address = `#${encodeURIComponent(regionName)}/${spot.split(", ").join("/")}`;
      if (location.hash !== address) history.replaceState(null, "", address);
    }
    const info = stage.renderer.info.render;
    const number = (value: unknown, digits = 0) => (typeof value === "number" ? value.toFixed(digits) : "–");
    figures.show({
      fps: number(fps),
      draws: String(info.calls),
      triangles: info.triangles.toLocaleString(),
      region: regionName,
      position: spot,
      dilation: number(stats.dilation, 2),
      frames: number(stats.frames, 1),
      ping: `${number(stats.ping, 1)} ms`,
      gateway: `${number(roundTrip, 1)} ms`,
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
