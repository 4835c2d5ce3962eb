import { CanvasTexture, Sprite, SpriteMaterial, SRGBColorSpace, Vector3 } from "three";

/** A text that floats in the world and always faces the eye: names of people, hover text of things. */
export function tag(text: string, color = "#ffffff", plate = true): Sprite {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d")!;
  const size = 40;
  const font = `600 ${size}px system-ui, sans-serif`;
  pen.font = font;
  const lines = text.split("\n").slice(0, 12).map((line) => line.slice(0, 80));
  const width = Math.min(1024, Math.max(...lines.map((line) => pen.measureText(line).width)) + 44);
  const height = lines.length * size * 1.2 + 24;
  canvas.width = Math.max(2, Math.ceil(width));
  canvas.height = Math.ceil(height);
  pen.font = font;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  if (plate) {
    pen.fillStyle = "rgba(8, 16, 24, 0.62)";
    pen.beginPath();
    pen.roundRect(0, 0, canvas.width, canvas.height, 22);
    pen.fill();
  } else {
    pen.shadowColor = "#000";
    pen.shadowBlur = 8;
  }
  pen.fillStyle = color;
  lines.forEach((line, n) => pen.fillText(line, canvas.width / 2, 12 + size * 1.2 * (n + 0.5), canvas.width - 16));
  const map = new CanvasTexture(canvas);
  map.colorSpace = SRGBColorSpace;
  const sprite = new Sprite(new SpriteMaterial({ map, transparent: true, depthWrite: false, toneMapped: false, fog: false }));
  const scale = 0.0058;
  sprite.scale.set(canvas.width * scale, canvas.height * scale, 1);
  sprite.userData.size = sprite.scale.clone();
  sprite.center.set(0.5, 0);
  sprite.renderOrder = 5;
  sprite.raycast = () => {};
  return sprite;
}

const NEAR = 6; // metres: nearer than this a text grows no more

/** Keep a text from filling the view when the eye comes near. */
export function fit(sprite: Sprite, eye: Vector3): void {
  const far = sprite.getWorldPosition(spot).distanceTo(eye);
  sprite.scale.copy(sprite.userData.size).multiplyScalar(Math.min(1, Math.max(far, 0.5) / NEAR));
}

const spot = new Vector3();

export function drop(sprite: Sprite | null): void {
  if (!sprite) return;
  sprite.material.map?.dispose();
  sprite.material.dispose();
  sprite.removeFromParent();
}
