/** `Date` on a clock of ours: all of the real one but what reads the machine's time; callable without `new`. */

export function createVirtualDate(now: () => number): DateConstructor {
  const Real = Date;
  function VirtualDate(...args: never[]): Date | string {
    if (new.target === undefined) return new Real(now()).toString();
    const target = new.target === (VirtualDate as unknown) ? Real : (new.target as never);
    return Reflect.construct(Real, args.length === 0 ? [now()] : args, target) as Date;
  }
  Object.setPrototypeOf(VirtualDate, Real);
  Object.defineProperties(VirtualDate, {
    prototype: { value: Real.prototype },
    name: { value: 'Date' },
    length: { value: 7 },
    now: { value: () => now(), writable: true, configurable: true },
  });
  Object.defineProperty(Real.prototype, 'constructor', {
    value: VirtualDate,
    writable: true,
    configurable: true,
  });
  return VirtualDate as unknown as DateConstructor;
}
