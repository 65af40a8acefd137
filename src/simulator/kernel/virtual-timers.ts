/**
 * Timers as Node's own look to their users (objects with `ref`, `refresh`, numbers where one is wanted), as events of the
 * kernel. A timer belongs to the owner that set it, and leaves the heap when it is cleared.
 */
import { promisify } from 'node:util';
import type { Kernel, KernelEvent } from './kernel.ts';
import type { Owner } from './owner.ts';

/** As Node has it: a longer delay becomes 1 ms. */
const LONGEST = 2 ** 31 - 1;

type Callback = (...args: never[]) => void;
/** What `clearTimeout` and its like are given: anything. */
type TimerReference = unknown;

interface VirtualTimer {
  refresh(): VirtualTimer;
  close(): VirtualTimer;
}

export interface VirtualTimers {
  readonly globals: Readonly<Record<string, (...args: never[]) => unknown>>;
  /** Of `node:timers/promises`. */
  readonly promises: Readonly<Record<string, unknown>>;
}

export function createVirtualTimers(kernel: Kernel): VirtualTimers {
  /** Of those that were turned into a number. */
  const numbered = new Map<number, VirtualTimeout>();
  let numbers = 0;

  class VirtualTimeout implements VirtualTimer {
    readonly #callback: () => void;
    readonly #delay: number;
    readonly #repeats: boolean;
    readonly #owner: Owner = kernel.current;
    #event: KernelEvent | undefined;
    #number = 0;
    #referenced = true;

    constructor(callback: () => void, delay: unknown, repeats: boolean) {
      const ms = Number(delay);
      this.#callback = callback;
      this.#delay = ms >= 1 && ms <= LONGEST ? Math.trunc(ms) * 1000 : 1000;
      this.#repeats = repeats;
      this.#start();
    }

    #start(): void {
      if (!this.#owner.alive) return;
      this.#event = kernel.schedule(this.#delay, 'timer', this.#owner, () => {
        this.#event = undefined;
        if (this.#repeats) this.#start();
        else numbered.delete(this.#number);
        this.#callback();
      });
    }

    ref(): this {
      this.#referenced = true;
      return this;
    }

    unref(): this {
      this.#referenced = false;
      return this;
    }

    hasRef(): boolean {
      return this.#referenced;
    }

    refresh(): this {
      this.close();
      this.#start();
      return this;
    }

    close(): this {
      if (this.#event) kernel.cancel(this.#event);
      this.#event = undefined;
      numbered.delete(this.#number);
      return this;
    }

    [Symbol.toPrimitive](): number {
      if (this.#number === 0) this.#number = ++numbers;
      numbered.set(this.#number, this);
      return this.#number;
    }

    [Symbol.dispose](): void {
      this.close();
    }
  }

  class VirtualImmediate {
    readonly #event: KernelEvent;

    constructor(callback: () => void) {
      this.#event = kernel.schedule(0, 'timer', kernel.current, callback);
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }

    hasRef(): boolean {
      return true;
    }

    close(): void {
      kernel.cancel(this.#event);
    }

    [Symbol.dispose](): void {
      this.close();
    }
  }

  const bind = (callback: unknown, args: readonly never[]): (() => void) => {
    if (typeof callback !== 'function') throw new TypeError('the callback of a timer must be a function');
    return args.length === 0 ? (callback as () => void) : () => (callback as Callback)(...args);
  };
  const setTimeout = (callback: Callback, delay?: unknown, ...args: never[]): VirtualTimeout =>
    new VirtualTimeout(bind(callback, args), delay, false);
  const setInterval = (callback: Callback, delay?: unknown, ...args: never[]): VirtualTimeout =>
    new VirtualTimeout(bind(callback, args), delay, true);
  const setImmediate = (callback: Callback, ...args: never[]): VirtualImmediate =>
    new VirtualImmediate(bind(callback, args));
  const clear = (timer: TimerReference): void => {
    if (timer instanceof VirtualTimeout || timer instanceof VirtualImmediate) timer.close();
    else if (typeof timer === 'number' || typeof timer === 'string') numbered.get(Number(timer))?.close();
  };

  interface WaitOptions {
    readonly signal?: AbortSignal;
  }
  const wait = <T>(
    begin: (done: () => void) => Disposable,
    value: T | undefined,
    { signal }: WaitOptions = {},
  ): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer?.[Symbol.dispose]();
        reject(new DOMException('The operation was aborted', { name: 'AbortError', cause: signal?.reason }));
      };
      let timer: Disposable | undefined;
      if (signal?.aborted) return onAbort();
      timer = begin(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve(value);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  const promises = {
    setTimeout: <T>(delay?: number, value?: T, options?: WaitOptions) =>
      wait((done) => setTimeout(done, delay), value, options),
    setImmediate: <T>(value?: T, options?: WaitOptions) => wait((done) => setImmediate(done), value, options),
    async *setInterval<T>(delay?: number, value?: T, options?: WaitOptions) {
      for (;;) yield await promises.setTimeout(delay, value, options);
    },
    scheduler: {
      wait: (delay: number, options?: WaitOptions) => promises.setTimeout(delay, undefined, options),
      yield: () => promises.setImmediate(),
    },
  };
  Object.assign(setTimeout, { [promisify.custom]: promises.setTimeout });
  Object.assign(setImmediate, { [promisify.custom]: promises.setImmediate });
  return {
    globals: {
      setTimeout,
      setInterval,
      setImmediate,
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    },
    promises,
  };
}
