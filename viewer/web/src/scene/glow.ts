import {
  AdditiveBlending,
  Color,
  Frustum,
  InstancedMesh,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  NormalBlending,
  OrthographicCamera,
  PlaneGeometry,
  Scene,
  ShaderMaterial,
  Vector2,
  WebGLRenderTarget,
  type Camera,
  type Material,
  type Texture,
  type WebGLRenderer,
} from "three";

/** The layer of what hides a glow behind it; the picture itself is layer 0. Lights are on all layers, or each change of
 *  layer would have three build the lit materials anew. */
export const OCCLUDES = 1;
const GLOWS = 2;
const SMALLER = 4; // than the picture, on each side
const SPREADS = [1, 2.2]; // pixels of the small picture between two samples, for one blur after the other
const STRENGTH = 1.0;

/** What a batch draws into the small picture instead of its own material. */
export const glowOf = (mesh: InstancedMesh): Material => mesh.userData.glow as Material;

/**
 * The halo around faces that glow, as viewers show it: what glows is drawn once more, small, with all else black before
 * it; that picture is blurred and added to the one just drawn. Costs nothing unless something that glows is in sight.
 */
export class Glow {
  private targets: [WebGLRenderTarget, WebGLRenderTarget] | null = null;
  private black = new MeshBasicMaterial({ color: 0x000000, fog: false });
  private blur = flat(BLUR, false);
  private add = flat(COPY, true);
  private quad = new Mesh(new PlaneGeometry(2, 2), this.blur);
  private paper = new Scene().add(this.quad);
  private flat = new OrthographicCamera(-1, 1, 1, -1, 0, 1);
  private frustum = new Frustum();
  private view = new Matrix4();
  private size = new Vector2();
  private clear = new Color();
  /** How many glowing batches were drawn in the last frame. */
  seen = 0;

  constructor(private renderer: WebGLRenderer) {
    this.quad.frustumCulled = false;
  }

  /** Add the halos of what is in sight of `meshes` to the picture of `scene` that was just drawn. */
  draw(scene: Scene, camera: Camera, meshes: Iterable<InstancedMesh>): void {
    this.frustum.setFromProjectionMatrix(this.view.multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse));
    const glowing = [...meshes].filter((mesh) => mesh.visible && this.frustum.intersectsSphere(mesh.boundingSphere!));
    this.seen = glowing.length;
    if (!glowing.length) return;
    const { renderer } = this;
    const [one, other] = this.sized();
    const [before, shadows, layers] = [renderer.autoClear, renderer.shadowMap.autoUpdate, camera.layers.mask];
    renderer.getClearColor(this.clear);
    const alpha = renderer.getClearAlpha();
    renderer.shadowMap.autoUpdate = false;
    renderer.setClearColor(0x000000, 1);
    renderer.setRenderTarget(one);
    renderer.autoClear = true;
    scene.overrideMaterial = this.black;
    camera.layers.set(OCCLUDES);
    renderer.render(scene, camera);
    renderer.autoClear = false;
    scene.overrideMaterial = null;
    camera.layers.set(GLOWS);
    const materials = glowing.map((mesh) => mesh.material);
    for (const mesh of glowing) {
      mesh.layers.enable(GLOWS);
      mesh.material = glowOf(mesh);
    }
    renderer.render(scene, camera);
    glowing.forEach((mesh, n) => {
      mesh.layers.disable(GLOWS);
      mesh.material = materials[n];
    });
    for (const spread of SPREADS) {
      this.paint(this.blur, one.texture, other, spread / one.width, 0);
      this.paint(this.blur, other.texture, one, 0, spread / one.height);
    }
    this.paint(this.add, one.texture, null, 0, 0);
    camera.layers.mask = layers;
    renderer.setClearColor(this.clear, alpha);
    [renderer.autoClear, renderer.shadowMap.autoUpdate] = [before, shadows];
  }

  private paint(material: ShaderMaterial, from: Texture, to: WebGLRenderTarget | null, x: number, y: number): void {
    material.uniforms.map.value = from;
    material.uniforms.stride.value.set(x, y);
    this.quad.material = material;
    this.renderer.setRenderTarget(to);
    this.renderer.render(this.paper, this.flat);
  }

  private sized(): [WebGLRenderTarget, WebGLRenderTarget] {
    this.renderer.getDrawingBufferSize(this.size);
    const [width, height] = [Math.max(1, Math.ceil(this.size.x / SMALLER)), Math.max(1, Math.ceil(this.size.y / SMALLER))];
    this.targets ??= [new WebGLRenderTarget(width, height), new WebGLRenderTarget(width, height, { depthBuffer: false })];
    for (const target of this.targets) target.setSize(width, height); // does nothing to one that has it
    return this.targets;
  }
}

function flat(fragmentShader: string, adds: boolean): ShaderMaterial {
  return new ShaderMaterial({
    uniforms: { map: { value: null }, stride: { value: new Vector2() } },
    vertexShader: "varying vec2 at; void main() { at = uv; gl_Position = vec4(position.xy, 0.0, 1.0); }",
    fragmentShader,
    depthTest: false,
    depthWrite: false,
    transparent: adds,
    blending: adds ? AdditiveBlending : NormalBlending,
    toneMapped: false,
  });
}

// The small picture holds colours as they are shown, not as light: eight bits are enough for them, and the sum is the one
// that other viewers show.
const BLUR = /* glsl */ `
  uniform sampler2D map;
  uniform vec2 stride;
  varying vec2 at;
  void main() {
    vec3 sum = texture2D(map, at).rgb * 0.2042;
    sum += (texture2D(map, at + stride).rgb + texture2D(map, at - stride).rgb) * 0.1802;
    sum += (texture2D(map, at + 2.0 * stride).rgb + texture2D(map, at - 2.0 * stride).rgb) * 0.1238;
    sum += (texture2D(map, at + 3.0 * stride).rgb + texture2D(map, at - 3.0 * stride).rgb) * 0.0663;
    sum += (texture2D(map, at + 4.0 * stride).rgb + texture2D(map, at - 4.0 * stride).rgb) * 0.0276;
    gl_FragColor = vec4(sum, 1.0);
  }`;

const COPY = /* glsl */ `
  uniform sampler2D map;
  varying vec2 at;
  void main() {
    gl_FragColor = vec4(texture2D(map, at).rgb * ${STRENGTH.toFixed(2)}, 1.0);
  }`;
