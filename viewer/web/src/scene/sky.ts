import {
  AmbientLight,
  BackSide,
  Color,
  DirectionalLight,
  Fog,
  HemisphereLight,
  Mesh,
  Scene,
  ShaderMaterial,
  SphereGeometry,
  Vector3,
} from "three";
import { NOISE } from "./noise";

const FAR = 900; // metres at which the land has faded into the sky

/** Colours of the sky by the sine of the sun's height: zenith, horizon, light, how bright. */
const MOMENTS: [number, number, number, number, number][] = [
  [-0.35, 0x0a1230, 0x1c2b4f, 0x9db4e8, 0.9],
  [-0.08, 0x1b2b5c, 0x6a5a7c, 0xb9a8d8, 0.9],
  [0.02, 0x35558f, 0xf0a070, 0xffa860, 2.2],
  [0.18, 0x3f7cc4, 0xf3d3ab, 0xffdcaa, 3.2],
  [0.5, 0x3478c8, 0xbfdcf0, 0xfff2dc, 3.0],
  [1.0, 0x2a6cc0, 0xb4d8f2, 0xfffaf0, 3.2],
];

export const SUNS = { morning: 10, noon: 60, evening: 172, night: 220 } as const;

/** Sky, sun, moon, stars, fog and the light they give, all by where the sun stands. */
export class Sky {
  readonly towards = new Vector3(0.5, 0, 0.87);
  readonly zenith = new Color();
  readonly horizon = new Color();
  readonly sun = new DirectionalLight(0xffffff, 3);
  private hemisphere = new HemisphereLight(0xffffff, 0x6b6455, 1);
  private ambient = new AmbientLight(0xffffff, 0.5);
  private fog = new Fog(0xffffff, FAR * 0.25, FAR);
  private dome: Mesh<SphereGeometry, ShaderMaterial>;
  private wanted = new Vector3(0.5, 0, 0.87);
  private first = true;

  constructor(scene: Scene, shadows: boolean) {
    this.dome = new Mesh(
      new SphereGeometry(3000, 32, 20),
      new ShaderMaterial({
        side: BackSide,
        depthWrite: false,
        fog: false,
        uniforms: {
          zenith: { value: this.zenith },
          horizon: { value: this.horizon },
          towards: { value: this.towards },
          time: { value: 0 },
        },
        vertexShader: VERTEX,
        fragmentShader: FRAGMENT,
      }),
    );
    this.dome.frustumCulled = false;
    this.dome.renderOrder = -10;
    this.sun.castShadow = shadows;
    this.sun.shadow.mapSize.set(2048, 2048);
    Object.assign(this.sun.shadow.camera, { left: -45, right: 45, top: 45, bottom: -45, near: 1, far: 260 });
    this.sun.shadow.bias = -0.0006;
    this.sun.shadow.normalBias = 0.04;
    for (const light of [this.sun, this.hemisphere, this.ambient]) light.layers.enableAll(); // see glow.ts
    scene.fog = this.fog;
    scene.add(this.dome, this.sun, this.sun.target, this.hemisphere, this.ambient);
  }

  /** Where the sun stands from now on; a change is followed gently. */
  set(towards: [number, number, number]): void {
    this.wanted.set(...towards).normalize();
    // Straight from east to west looks flat: our sun leans south, as on northern latitudes.
    this.wanted.y -= 0.35 * Math.max(0, this.wanted.z);
    this.wanted.normalize();
    if (this.first) this.towards.copy(this.wanted);
    this.first = false;
  }

  /** Follow no longer: the sun stands where it was last set. */
  arrive(): void {
    this.towards.copy(this.wanted);
    this.first = false;
  }

  /** Keep the sky around `eye` and the shadows around `focus`. */
  step(eye: Vector3, focus: Vector3, now: number, dt: number): void {
    this.towards.lerp(this.wanted, 1 - Math.exp(-1.5 * dt)).normalize();
    const height = this.towards.z;
    let next = MOMENTS.findIndex((moment) => moment[0] > height);
    if (next < 0) next = MOMENTS.length - 1;
    const [from, to] = [MOMENTS[Math.max(0, next - 1)], MOMENTS[next]];
    const share = from === to ? 0 : Math.min(1, Math.max(0, (height - from[0]) / (to[0] - from[0])));
    this.zenith.set(from[1]).lerp(new Color(to[1]), share);
    this.horizon.set(from[2]).lerp(new Color(to[2]), share);
    this.sun.color.set(from[3]).lerp(new Color(to[3]), share);
    this.sun.intensity = from[4] + (to[4] - from[4]) * share;
    this.hemisphere.color.copy(this.zenith).lerp(this.horizon, 0.6);
    this.hemisphere.intensity = 1.6;
    this.fog.color.copy(this.horizon);
    // By night the moon, opposite the sun, gives the light.
    const night = height < -0.04 ? -1 : 1;
    this.sun.target.position.copy(focus);
    this.sun.position.copy(focus).addScaledVector(this.towards, 120 * night);
    if (this.sun.position.z < focus.z + 12) this.sun.position.z = focus.z + 12;
    this.dome.position.copy(eye);
    this.dome.material.uniforms.time.value = now;
  }

  /** Which way the brighter of sun and moon is. */
  get shine(): Vector3 {
    return this.towards.z < -0.04 ? this.towards.clone().negate() : this.towards;
  }
}

const VERTEX = /* glsl */ `
  varying vec3 direction;
  void main() {
    direction = position;
    gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
    gl_Position.z = gl_Position.w * 0.99999;
  }`;

const FRAGMENT = /* glsl */ `
  uniform vec3 zenith, horizon, towards;
  uniform float time;
  varying vec3 direction;

  ${NOISE}
  float clouds(vec2 p) {
    return 0.5 * noise2(p) + 0.25 * noise2(p * 2.1 + 7.0) + 0.125 * noise2(p * 4.3 + 19.0) + 0.0625 * noise2(p * 8.9);
  }

  void main() {
    vec3 d = normalize(direction);
    float up = max(d.z, 0.0);
    vec3 color = mix(horizon, zenith, 1.0 - exp(-3.2 * up));
    float toSun = max(dot(d, towards), 0.0);
    float day = smoothstep(-0.15, 0.1, towards.z);
    vec3 warm = mix(vec3(1.0, 0.55, 0.25), vec3(1.0, 0.95, 0.85), smoothstep(0.0, 0.4, towards.z));
    color += warm * (0.35 * pow(toSun, 12.0) + 0.6 * pow(toSun, 90.0)) * day;
    color += warm * 14.0 * smoothstep(0.9994, 0.9997, toSun) * day;
    float toMoon = max(dot(d, -towards), 0.0);
    color += vec3(0.75, 0.82, 1.0) * (2.2 * smoothstep(0.9996, 0.9998, toMoon) + 0.25 * pow(toMoon, 200.0)) * (1.0 - day);
    if (day < 0.95 && d.z > 0.0) {
      vec3 cell = floor(d * 160.0);
      float star = hash2(cell.xy + cell.z * 17.0);
      color += vec3(0.9, 0.95, 1.0) * step(0.9975, star) * (0.4 + 0.6 * hash2(cell.yz)) * (1.0 - day) * smoothstep(0.0, 0.3, d.z);
    }
    if (d.z > 0.015) {
      vec2 at = d.xy / (d.z + 0.12) * 1.6 + vec2(time * 0.004, time * 0.0015);
      float cover = smoothstep(0.46, 0.80, clouds(at)) * smoothstep(0.015, 0.22, d.z);
      vec3 lit = mix(horizon * 0.9 + 0.05, vec3(1.0) * (0.25 + 0.85 * day), 0.65) + warm * 0.25 * pow(toSun, 6.0) * day;
      color = mix(color, lit, cover * (0.25 + 0.55 * day));
    }
    gl_FragColor = vec4(color, 1.0);
    #include <tonemapping_fragment>
    #include <colorspace_fragment>
  }`;
