/** A preload (`node --import`): lets the parent process move this process's wall clock by `{shift: ms}`. kad-dht and the peer
 * store read `Date.now` themselves, so the life times that they keep cannot be tested by an injected clock. */
const now = Date.now.bind(Date);
const RealDate = Date;
let shift = 0;
globalThis.Date = class extends RealDate {
  constructor(...args: unknown[]) {
    if (args.length === 0) super(now() + shift);
    else super(...(args as [number]));
  }
  static override now(): number {
    return now() + shift;
  }
} as DateConstructor;
process.on('message', (message: { shift?: number }) => {
  shift += message.shift ?? 0;
});
