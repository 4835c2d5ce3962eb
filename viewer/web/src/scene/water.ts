import { Mesh, PlaneGeometry, Scene, ShaderMaterial, Vector3 } from "three";
import type { Sky } from "./sky";

const SIZE = 3000;
/** When it is drawn, among what one sees through: it hides nothing, so what is before it must come later. */
export const WATER_ORDER = 1;

/** The sea: one plane around the eye, with moving waves, the sky in it and the sun's glitter. */
export class Water {
  private plane: Mesh<PlaneGeometry, ShaderMaterial>;

  constructor(
    scene: Scene,
    private sky: Sky,
  ) {
    this.plane = new Mesh(
      new PlaneGeometry(SIZE, SIZE),
      new ShaderMaterial({
        transparent: true,
        depthWrite: false,
        uniforms: {
          zenith: { value: sky.zenith },
          horizon: { value: sky.horizon },
          shine: { value: new Vector3() },
          glitter: { value: sky.sun.color },
          eye: { value: new Vector3() },
          time: { value: 0 },
        },
        vertexShader: VERTEX,
        fragmentShader: FRAGMENT,
      }),
    );
    this.plane.frustumCulled = false;
    this.plane.renderOrder = WATER_ORDER;
    this.plane.position.z = 20;
    scene.add(this.plane);
  }

  step(eye: Vector3, level: number, now: number): void {
    this.plane.position.set(eye.x, eye.y, level);
    const uniforms = this.plane.material.uniforms;
    uniforms.shine.value.copy(this.sky.shine);
    uniforms.eye.value.copy(eye);
    uniforms.time.value = now % 3600;
  }
}

const VERTEX = /* glsl */ `
  varying vec3 at;
  void main() {
    vec4 world = modelMatrix * vec4(position, 1.0);
    at = world.xyz;
    gl_Position = projectionMatrix * viewMatrix * world;
  }`;

const FRAGMENT = /* glsl */ `
  uniform vec3 zenith, horizon, shine, glitter, eye;
  uniform float time;
  varying vec3 at;

  // Slopes of a few crossing waves; each is (direction, length, speed). Waves shorter than a few of the pixel's metres
  // would only flicker.
  vec2 slope(vec2 p, vec2 way, float number, float speed, float height) {
    float seen = 1.0 - smoothstep(0.7, 2.0, fwidth(dot(p, way)) * number);
    return way * cos(dot(p, way) * number + time * speed) * height * seen;
  }

  void main() {
    vec3 toEye = eye - at;
    float far = length(toEye);
    toEye /= far;
    float calm = 1.0 / (1.0 + far * 0.012);
    vec2 s = slope(at.xy, vec2(0.8, 0.6), 0.55, 1.1, 0.05) + slope(at.xy, vec2(-0.5, 0.86), 0.9, 1.4, 0.045)
           + slope(at.xy, vec2(0.2, -0.98), 1.9, 2.1, 0.035) + slope(at.xy, vec2(-0.93, -0.36), 3.3, 2.9, 0.03)
           + slope(at.xy, vec2(0.45, 0.89), 6.1, 4.0, 0.02) + slope(at.xy, vec2(0.97, -0.24), 9.7, 5.3, 0.015);
    vec3 normal = normalize(vec3(-s * (0.25 + calm), 1.0));
    float facing = max(dot(normal, toEye), 0.0);
    float mirror = 0.03 + 0.97 * pow(1.0 - facing, 5.0);
    vec3 bounced = reflect(-toEye, normal);
    vec3 seen = mix(horizon, zenith, 1.0 - exp(-3.2 * max(bounced.z, 0.0)));
    float light = 0.12 + 0.88 * smoothstep(-0.2, 0.3, zenith.b);
    vec3 deep = mix(vec3(0.01, 0.10, 0.16), vec3(0.02, 0.22, 0.27), facing) * light;
    vec3 color = mix(deep, seen, mirror);
    float gleam = pow(max(dot(bounced, shine), 0.0), 220.0) + 0.12 * pow(max(dot(bounced, shine), 0.0), 24.0);
    color += glitter * gleam * 1.6 * smoothstep(0.0, 0.12, shine.z);
    float fog = smoothstep(225.0, 900.0, far);
    color = mix(color, horizon, fog);
    gl_FragColor = vec4(color, max(fog, mix(0.66, 0.97, mirror)));
    #include <tonemapping_fragment>
    #include <colorspace_fragment>
  }`;
