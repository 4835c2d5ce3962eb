/** Reads numbers and bytes from a frame, one after the other; little endian. Throws a RangeError at the end. */
export class Reader {
  private view: DataView;

  constructor(
    private data: ArrayBuffer,
    private at = 0,
  ) {
    this.view = new DataView(data);
  }

  get more(): boolean {
    return this.at < this.view.byteLength;
  }

  /** Where it stands, in bytes from the beginning. */
  get place(): number {
    return this.at;
  }

  u8 = () => this.view.getUint8(this.at++);
  i8 = () => this.view.getInt8(this.at++);
  u16 = () => this.view.getUint16((this.at += 2) - 2, true);
  i16 = () => this.view.getInt16((this.at += 2) - 2, true);
  u32 = () => this.view.getUint32((this.at += 4) - 4, true);
  i32 = () => this.view.getInt32((this.at += 4) - 4, true);
  f32 = () => this.view.getFloat32((this.at += 4) - 4, true);

  /** Go on behind the next `n` bytes; where they begin. */
  skip(n: number): number {
    return (this.at += n) - n;
  }

  bytes(n: number): Uint8Array {
    return new Uint8Array(this.data, (this.at += n) - n, n);
  }
}

/** The same, of bytes that are a part of something. */
export function within(bytes: Uint8Array): Reader {
  return new Reader(bytes.slice().buffer);
}
