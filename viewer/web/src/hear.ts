/** What the gateway tells, to whoever it concerns: a table with a line for each kind of message, and the binary frames. */
import * as frames from "./net/frames";
import type { Told } from "./net/messages";
import type { World } from "./world/world";

type Table = { [K in Told["t"]]: (told: Extract<Told, { t: K }>) => void };

/** Every kind of message has a line here, or the page does not compile. */
export function hearing(table: Table): (told: Told) => void {
  return (told) => (table[told.t] as (told: Told) => void)(told);
}

/** A binary frame into the world, at `time` seconds; `touched` is called when there is something new to draw. */
export function look(world: World, data: ArrayBuffer, time: number, touched: () => void): void {
  const kind = new Uint8Array(data)[0];
  if (kind === frames.MOTIONS) {
    for (const record of frames.motions(data)) world.moved(record, time);
    return;
  }
  if (kind === frames.OBJECTS) for (const record of frames.objects(data)) world.object(record, time); // told together, begun together
  else if (kind === frames.LAND) {
    void frames.land(data).then((land) => {
      world.land(land);
      touched();
    });
  }
  touched();
}
