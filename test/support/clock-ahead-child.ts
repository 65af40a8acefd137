/** A preload (`NODE_OPTIONS=--import`): this process's wall clock is ahead by `CLOCK_AHEAD_MS` ms, as a machine's can be. */
const now = Date.now.bind(Date);
const ahead = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args: unknown[]) {
    if (args.length === 0) super(now() + ahead);
    else super(...(args as [number]));
  }
  static override now(): number {
    return now() + ahead;
  }
} as DateConstructor;
