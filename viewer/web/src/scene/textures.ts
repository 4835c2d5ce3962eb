import { LinearMipmapLinearFilter, RepeatWrapping, SRGBColorSpace, Texture } from "three";

export const BLANK = "5748decc-f629-461c-9a36-a35a221fe21f";
export const TRANSPARENT = "8dcd4a48-2d37-4909-9f78-f7a9eb4ef903";
const AT_ONCE = 6;

/** Pictures from the gateway, each fetched once; a few at a time, so that the page stays awake. */
export class Textures {
  private known = new Map<string, Texture>();
  private awaited = new Map<string, ((texture: Texture) => void)[]>();
  private waiting: (() => Promise<void>)[] = [];
  private running = 0;
  /** When the last picture came (milliseconds as performance.now()). */
  changed = 0;

  constructor(private anisotropy: number) {}

  /** The texture of that id; it is white until it came, and stays so if there is none. */
  get(id: string, size = 256, loaded?: (texture: Texture) => void): Texture {
    const key = `${id}/${size}`;
    let texture = this.known.get(key);
    if (!texture) {
      texture = new Texture();
      texture.wrapS = texture.wrapT = RepeatWrapping;
      texture.colorSpace = SRGBColorSpace;
      texture.minFilter = LinearMipmapLinearFilter;
      texture.anisotropy = this.anisotropy;
      this.known.set(key, texture);
      const fetched = texture;
      this.awaited.set(key, []);
      this.waiting.push(() => this.fetch(key, fetched).finally(() => this.awaited.delete(key)));
      this.next();
    }
    if (loaded && texture.image) loaded(texture);
    else if (loaded) this.awaited.get(key)?.push(loaded);
    return texture;
  }

  /** How many pictures are still to come. */
  get busy(): number {
    return this.waiting.length + this.running;
  }

  private next(): void {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running++;
      void this.waiting
        .shift()!()
        .finally(() => {
          this.running--;
          this.next();
        });
    }
  }

  private async fetch(key: string, texture: Texture): Promise<void> {
    const reply = await fetchAgain(`texture/${key}`);
    if (!reply?.ok) return;
    const picture = await createImageBitmap(await reply.blob(), { imageOrientation: "flipY" }).catch(() => null);
    if (!picture) return;
    texture.image = picture;
    texture.flipY = false; // done by the bitmap
    texture.needsUpdate = true;
    this.changed = performance.now();
    for (const loaded of this.awaited.get(key) ?? []) loaded(texture);
  }
}

/** What is at an address; a connection that drops is tried again for a while. Null: it stays away. */
export async function fetchAgain(address: string): Promise<Response | null> {
  for (let pause = 500; pause < 10_000; pause *= 2) {
    const reply = await fetch(address).catch(() => null);
    if (reply) return reply;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return null;
}
