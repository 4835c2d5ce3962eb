import { ACESFilmicToneMapping, type InstancedMesh, Object3D, PCFShadowMap, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { Glow } from "./glow";

Object3D.DEFAULT_UP.set(0, 0, 1); // the protocol's axes everywhere: x east, y north, z up

/** The canvas: renderer, scene and camera, and how much the machine can be asked for. */
export class Stage {
  readonly renderer: WebGLRenderer;
  readonly scene = new Scene();
  readonly camera = new PerspectiveCamera(60, 1, 0.1, 4000);
  readonly software: boolean;
  readonly glow: Glow;
  /** Keep the number of pixels, however slow frames are. */
  steady = false;
  private slow = 0;
  private ratio: number;

  /** Throws when there is no WebGL 2. */
  constructor(readonly canvas: HTMLCanvasElement) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, powerPreference: "high-performance" });
    this.renderer.info.autoReset = false; // a frame is drawn in several passes
    this.glow = new Glow(this.renderer);
    const gl = this.renderer.getContext();
    const name = gl.getExtension("WEBGL_debug_renderer_info");
    this.software =
      /swiftshader|llvmpipe|software/i.test(String(gl.getParameter(name ? name.UNMASKED_RENDERER_WEBGL : gl.RENDERER))) &&
      !new URLSearchParams(location.search).has("fine"); // a picture has all the time it needs
    this.renderer.toneMapping = ACESFilmicToneMapping;
    this.renderer.shadowMap.enabled = !this.software;
    this.renderer.shadowMap.type = PCFShadowMap;
    this.ratio = this.software ? 1 : Math.min(devicePixelRatio, 2);
    this.resize();
    addEventListener("resize", () => this.resize());
  }

  private resize(): void {
    this.renderer.setPixelRatio(this.ratio);
    this.renderer.setSize(innerWidth, innerHeight, false);
    this.camera.aspect = innerWidth / innerHeight;
    // A phone held upright would see a slit of the world with the same vertical angle.
    this.camera.fov = innerWidth < innerHeight ? 75 : 60;
    this.camera.updateProjectionMatrix();
  }

  /** Pixels that a thing is large for each metre of its size, at a metre's distance. */
  get pixels(): number {
    return this.canvas.height / (2 * Math.tan((this.camera.fov * Math.PI) / 360));
  }

  /** Draw, with a halo around what glows; fewer pixels when frames have been slow for a while. */
  draw(dt: number, glowing: Iterable<InstancedMesh>): void {
    this.renderer.info.reset();
    this.renderer.render(this.scene, this.camera);
    this.glow.draw(this.scene, this.camera, glowing);
    this.slow = dt > 0.05 ? this.slow + dt : Math.max(0, this.slow - dt);
    if (this.slow > 3 && this.ratio > 0.75 && !this.steady) {
      this.slow = 0;
      this.ratio = Math.max(0.75, this.ratio * 0.75);
      this.resize();
    }
  }
}
