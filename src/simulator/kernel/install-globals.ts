/**
 * Puts virtual time and seeded randomness in the place of the machine's, for all code of this process that is loaded
 * afterwards: so it is called before anything of ours or libp2p's is imported, once. There is no way back.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import perfHooks from 'node:perf_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import type { Kernel } from './kernel.ts';
import { createTimeoutSignals } from './timeout-signal.ts';
import { createVirtualDate } from './virtual-date.ts';
import { createVirtualTimers } from './virtual-timers.ts';

export function installGlobals(kernel: Kernel): void {
  installTimers(kernel);
  installClocks(kernel);
  installRandomness(kernel);
  syncBuiltinESMExports();
}

function installTimers(kernel: Kernel): void {
  const { globals, promises } = createVirtualTimers(kernel);
  Object.assign(globalThis, globals);
  Object.assign(timers, globals);
  replaceAll(timersPromises, promises);
  replaceAll(AbortSignal, createTimeoutSignals(kernel));
}

function installClocks(kernel: Kernel): void {
  const milliseconds = (): number => kernel.now / 1000;
  const wall = (): number => kernel.epoch + Math.floor(kernel.now / 1000) + kernel.current.skew;
  globalThis.Date = createVirtualDate(wall);

  const { performance } = perfHooks;
  const PerformanceMark = perfHooks.PerformanceMark as unknown as new (
    name: string,
    options: MarkOptions,
  ) => object;
  interface MarkOptions {
    readonly startTime?: number;
    readonly detail?: unknown;
  }
  replaceAll(performance, {
    now: milliseconds,
    mark: (name: string, options: MarkOptions = {}) =>
      new PerformanceMark(name, { ...options, startTime: options.startTime ?? milliseconds() }),
    measure: refuse('performance.measure'),
    timerify: refuse('performance.timerify'),
    eventLoopUtilization: refuse('performance.eventLoopUtilization'),
    toJSON: () => ({ timeOrigin: kernel.epoch }),
  });
  Object.defineProperty(performance, 'timeOrigin', { get: () => kernel.epoch, configurable: true });
  Object.assign(perfHooks, { monitorEventLoopDelay: refuse('monitorEventLoopDelay') });

  // What formats no date formats now, which it does not ask of `Date`.
  const { prototype } = Intl.DateTimeFormat;
  const format = Object.getOwnPropertyDescriptor(prototype, 'format')?.get as () => (date: unknown) => string;
  const { formatToParts } = prototype;
  Object.defineProperty(prototype, 'format', {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const real = format.call(this);
      return (date: unknown = wall()) => real(date);
    },
  });
  prototype.formatToParts = function (date = wall()) {
    return formatToParts.call(this, date);
  };

  const stamps = new WeakMap<Event, number>();
  Object.defineProperty(Event.prototype, 'timeStamp', {
    configurable: true,
    get(this: Event) {
      const known = stamps.get(this) ?? milliseconds();
      stamps.set(this, known);
      return known;
    },
  });

  const nanoseconds = (): bigint => BigInt(kernel.now) * 1000n;
  const hrtime = (before?: readonly [number, number]): [number, number] => {
    const passed = nanoseconds() - (before ? BigInt(before[0]) * 1_000_000_000n + BigInt(before[1]) : 0n);
    return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)];
  };
  process.hrtime = Object.assign(hrtime, { bigint: nanoseconds });
  process.uptime = () => kernel.now / 1e6;
}

function installRandomness(kernel: Kernel): void {
  const bytes = (length: number): Uint8Array => kernel.current.randomness.bytes(length);
  const float = (): number => kernel.current.randomness.float();
  Math.random = float;

  const fill = <T extends NodeJS.ArrayBufferView>(view: T, offset = 0, size?: number): T => {
    const target = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    target.set(bytes(size ?? target.length - offset), offset);
    return view;
  };
  const uuid = (): string => {
    const b = bytes(16);
    b[6] = ((b[6] as number) & 0x0f) | 0x40;
    b[8] = ((b[8] as number) & 0x3f) | 0x80;
    return Buffer.from(b)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  };
  const randomInt = (first: number, second?: unknown, third?: unknown): number => {
    if (typeof second === 'function' || typeof third === 'function')
      return refuse('crypto.randomInt(callback)')();
    const [from, to] = typeof second === 'number' ? [first, second] : [0, first];
    return from + Math.floor(float() * (to - from));
  };
  replaceAll(crypto, {
    randomUUID: uuid,
    randomInt,
    randomFillSync: fill,
    randomBytes: (length: number, callback?: unknown) =>
      callback === undefined ? Buffer.from(bytes(length)) : refuse('crypto.randomBytes(callback)')(),
    // Of true randomness, which no seed reaches.
    generateKeyPairSync: refuse('crypto.generateKeyPairSync'),
    generateKeySync: refuse('crypto.generateKeySync'),
    generatePrimeSync: refuse('crypto.generatePrimeSync'),
  });
  replaceAll(globalThis.crypto, { getRandomValues: fill, randomUUID: uuid });
}

/** Own properties: those of a class stand on its prototype, some of them read-only. */
function replaceAll(target: object, replacements: object): void {
  for (const [name, value] of Object.entries(replacements)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
  }
}

function refuse(what: string): () => never {
  return () => {
    throw new Error(`${what} is not possible in a simulated run: it cannot be repeated`);
  };
}
