import { type Sent, type Told, TOLD } from "./messages";

/** A message's fields without its kind. */
type Fields<K extends Sent["t"]> = Omit<Extract<Sent, { t: K }>, "t">;

/** Tells the gateway something: its kind, and its fields if it has any. */
export type Send = <K extends Sent["t"]>(kind: K, ...fields: object extends Fields<K> ? [Fields<K>?] : [Fields<K>]) => void;

export interface Listener {
  told(message: Told): void;
  frame(data: ArrayBuffer): void;
  state(state: "open" | "lost" | "ended" | "elsewhere"): void;
}

const FINAL = new Set([4000, 4001, 4003]);
const PATIENCE = 60_000;

/** The connection to the gateway: opens with a one-time token, comes back by itself for a minute. */
export class Connection {
  bytes = 0;
  private socket: WebSocket | null = null;
  private lostAt = 0;
  private tries = 0;
  private left = false;

  private listener!: Listener;

  /** Opens at once: a token waits for nobody, and a slow machine takes long to make ready what shall listen. */
  constructor(private token: string) {
    this.open();
  }

  /** Who is told of what comes. To be called before anything can come: in the same turn as the constructor. */
  listen(listener: Listener): void {
    this.listener = listener;
  }

  private open(): void {
    const url = new URL("api/socket", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.hash = "";
    const socket = (this.socket = new WebSocket(url, ["mainland.1", this.token]));
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.lostAt = this.tries = 0;
      this.listener.state("open");
    };
    socket.onmessage = (event) => {
      if (typeof event.data === "string") {
        this.bytes += event.data.length;
        const message = read(event.data);
        if (message?.t === "hello") this.token = message.token;
        if (message) this.listener.told(message);
      } else {
        this.bytes += event.data.byteLength;
        this.listener.frame(event.data);
      }
    };
    socket.onclose = (event) => this.closed(event.code, opened);
  }

  private closed(code: number, opened: boolean): void {
    this.socket = null;
    if (this.left || FINAL.has(code)) {
      this.listener.state(code === 4001 ? "elsewhere" : "ended");
      return;
    }
    this.lostAt ||= performance.now();
    if (performance.now() - this.lostAt > PATIENCE) {
      this.listener.state("ended");
      return;
    }
    if (opened || this.tries === 0) this.listener.state("lost");
    setTimeout(() => this.open(), Math.min(5000, 300 * 2 ** this.tries++));
  }

  /** Tell the gateway; silently nothing while the connection is lost. */
  send: Send = (kind, ...fields) => {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ t: kind, ...fields[0] }));
  };

  leave(): void {
    this.left = true;
    this.send("leave");
  }
}

/** A message of the gateway; null for one that this page does not know, of a gateway that is newer. */
function read(text: string): Told | null {
  const message = JSON.parse(text) as { t: string };
  if (TOLD.has(message.t)) return message as Told;
  console.warn(`the gateway tells of ${message.t}, which this page does not know`);
  return null;
}
