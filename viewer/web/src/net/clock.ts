/**
 * The grid's time (unix seconds, the gateway's), read off the answers to pings: the quicker an answer came, the less it can
 * be wrong. Clocks of computers differ by seconds; what all windows shall show alike goes by this one.
 */
export class GridClock {
  /** Round trip of the last ping, milliseconds. */
  roundTrip = 0;
  private ahead: number | null = null;
  private error = Infinity;

  /** An answer: sent and come at these milliseconds (performance.now()), written at `now`. */
  told(sent: number, come: number, now: number): void {
    this.roundTrip = come - sent;
    this.error += 0.0005; // clocks drift: an old answer is worth less with each new one
    const error = this.roundTrip / 2000;
    if (!Number.isFinite(now) || error > this.error) return;
    this.error = error;
    this.ahead = now - (sent + come) / 2000;
  }

  /** The grid's time at `seconds` of performance.now(); until it is known, this computer's. */
  at(seconds: number): number {
    return seconds + (this.ahead ?? performance.timeOrigin / 1000);
  }
}
