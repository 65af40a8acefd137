/**
 * Virtual time: runs events in the order (time, phase, sequence) and lets no time pass in between. Must always hold: one
 * event with everything it set off (microtasks, ticks) is done before the next begins, it belongs to one owner, and what
 * happens depends on nothing but the events before it.
 */
import type { Randomness } from '../../core/clock.ts';
import type { CpuCosts } from './cpu/cpu-costs.ts';
import { EventHeap, type HeapEntry } from './event-heap.ts';
import { DeadOwnerError, describeOwner, type Owner } from './owner.ts';
import { SerialServer } from './serial-server.ts';
import { SharedCores } from './shared-cores.ts';

/** What comes first within one instant. */
export const phases = { heal: 0, cut: 1, crash: 2, start: 3, deliver: 4, timer: 5 } as const;
export type Phase = keyof typeof phases;

export interface KernelEvent extends HeapEntry {
  readonly owner: Owner;
  readonly run: () => void;
  /** The model's own work: it calls no node's code, so there is nothing to wait for after it. */
  readonly inline: boolean;
  cancelled: boolean;
  /** True while nobody would notice it. */
  deaf: (() => boolean) | undefined;
  /** Set on the event that wakes a node that was busy: what is run is the first that waits for it. */
  readonly wakes: SerialServer<KernelEvent> | undefined;
}

export interface KernelOptions {
  /** Wall time at virtual time 0, ms since 1970. */
  readonly epoch: number;
  readonly costs: CpuCosts;
  /** That all nodes share; undefined: each has one of its own. */
  readonly cores?: number | undefined;
  /** Of the world, for what no node asks. */
  readonly randomness: Randomness;
  /** The machine's own, taken before it was replaced. */
  readonly setImmediate: (callback: () => void) => void;
  /** Events without the clock moving that are taken for an endless loop. */
  readonly livelock?: number;
}

export interface KernelCounts {
  /** Run with their drain, for a node or the world. */
  events: number;
  inline: number;
}

export class Kernel {
  readonly epoch: number;
  readonly costs: CpuCosts;
  readonly world: Owner;
  readonly counts: KernelCounts = { events: 0, inline: 0 };
  readonly #heap = new EventHeap<KernelEvent>();
  readonly #servers = new Map<Owner, SerialServer<KernelEvent>>();
  readonly #cores: SharedCores | undefined;
  readonly #setImmediate: KernelOptions['setImmediate'];
  readonly #livelock: number;
  /** Called after each event and its drain, before the clock moves. */
  readonly #afterEvent: (() => void)[] = [];
  #now = 0;
  #sequence = 0;
  #current: Owner;
  #charged = 0;
  #running = false;
  #enteringDrain = false;
  #failure: Error | undefined;
  #stuck = 0;

  constructor(options: KernelOptions) {
    this.epoch = options.epoch;
    this.costs = options.costs;
    this.#cores = options.cores === undefined ? undefined : new SharedCores(options.cores);
    this.#setImmediate = options.setImmediate;
    this.#livelock = options.livelock ?? 1e6;
    this.world = { node: -1, incarnation: 0, randomness: options.randomness, skew: 0, alive: true };
    this.#current = this.world;
  }

  /** Integer microseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Whose event is running. */
  get current(): Owner {
    return this.#current;
  }

  get running(): boolean {
    return this.#running;
  }

  /** True only while the kernel itself asks the machine for its `setImmediate`. */
  get enteringDrain(): boolean {
    return this.#enteringDrain;
  }

  /** Events to come, those that wait for a busy node too. */
  get pending(): number {
    return this.#servers.values().reduce((sum, { waiting }) => sum + waiting, this.#heap.size);
  }

  /** Of those in the heap, the ones that somebody waits for: the others only take room. */
  get live(): number {
    return this.#heap.count(({ cancelled, deaf }) => !cancelled && deaf?.() !== true);
  }

  /** An event of `owner`, `delay` microseconds from now. */
  schedule(delay: number, phase: Phase, owner: Owner, run: () => void): KernelEvent {
    return this.#push(delay, phase, owner, run, false);
  }

  /** The model's own work, which calls no node's code and counts as nobody's. */
  scheduleInline(delay: number, phase: Phase, run: () => void): KernelEvent {
    return this.#push(delay, phase, this.world, run, true);
  }

  #push(
    delay: number,
    phase: Phase,
    owner: Owner,
    run: () => void,
    inline: boolean,
    wakes?: SerialServer<KernelEvent>,
    sequence = this.#sequence++,
  ): KernelEvent {
    if (!owner.alive) throw new DeadOwnerError(owner, 'set an event');
    // No order holds with it.
    if (Number.isNaN(delay)) throw new RangeError(`an event of ${describeOwner(owner)} in NaN microseconds`);
    const event: KernelEvent = {
      at: this.#now + Math.max(0, Math.ceil(delay)),
      phase: phases[phase],
      sequence,
      place: -1,
      owner,
      run,
      inline,
      cancelled: false,
      deaf: undefined,
      wakes,
    };
    this.#heap.push(event);
    return event;
  }

  /** Fine for one that has run. */
  cancel(event: KernelEvent): void {
    event.cancelled = true;
    this.#heap.remove(event);
  }

  /** Runs `work` as `owner` and gives its outcome back to the world, in an event of the world's. */
  perform<T>(owner: Owner, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const tell = (settle: () => void): void => void this.schedule(0, 'start', this.world, settle);
      this.schedule(0, 'start', owner, () => {
        work().then(
          (value) => tell(() => resolve(value)),
          (error: unknown) => tell(() => reject(error)),
        );
      });
    });
  }

  afterEvent(work: () => void): void {
    this.#afterEvent.push(work);
  }

  /** Adds to what the running event costs its node, in microseconds. */
  charge(microseconds: number): void {
    this.#charged += microseconds;
  }

  /** Ends this life: its events never happen, and it can set no more. */
  kill(owner: Owner): void {
    owner.alive = false;
    this.#heap.removeWhere((event) => event.owner === owner);
    this.#servers.delete(owner);
  }

  /** Makes the run fail once the event that is running is done; the first failure stays. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** Runs all that is due up to `until` (microseconds), and moves the clock there. @throws what `fail` was called with */
  run(until: number): Promise<void> {
    if (this.#running) throw new Error('the kernel is running already');
    this.#running = true;
    this.#stuck = 0;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#running = false;
        this.#current = this.world;
        if (this.#failure) reject(this.#failure);
        else resolve();
      };
      const settle = (): void => {
        this.#settleCosts();
        this.#current = this.world;
        for (const work of this.#afterEvent) work();
        next();
      };
      const next = (): void => {
        try {
          if (this.#failure || !this.#runNext(until)) return stop();
        } catch (error) {
          this.fail(this.#blame(error));
        }
        this.#enteringDrain = true;
        this.#setImmediate(settle);
        this.#enteringDrain = false;
      };
      // From the first event on, nothing that the caller set off before is still under way.
      this.#enteringDrain = true;
      this.#setImmediate(settle);
      this.#enteringDrain = false;
    });
  }

  /** Runs inline events up to and including the next one of an owner; false when nothing is due any more. */
  #runNext(until: number): boolean {
    for (;;) {
      const event = this.#heap.peek();
      if (event === undefined || event.at > until) {
        this.#now = Math.max(this.#now, until);
        return false;
      }
      this.#heap.remove(event);
      this.#advance(event);
      if (event.inline) {
        this.counts.inline++;
        event.run();
        continue;
      }
      const due = this.#admit(event);
      if (due === undefined) continue;
      this.counts.events++;
      this.#current = due.owner;
      this.#charged = due.phase === phases.timer ? this.costs.timer : this.costs.event;
      due.run();
      return true;
    }
  }

  /** What its node does now: this event, the first that waits, or nothing yet. */
  #admit(event: KernelEvent): KernelEvent | undefined {
    const hasCore = (this.#cores?.freeAt ?? 0) <= this.#now;
    if (event.wakes) {
      event.wakes.awaited = false;
      if (hasCore) return event.wakes.take();
      // It keeps its turn: behind a node that has just worked and wants more it would never have one.
      this.#await(event.owner, event.wakes, event.sequence);
      return undefined;
    }
    if (event.owner === this.world) return event;
    const server = this.#serverOf(event.owner);
    if (hasCore && server.isFree(this.#now)) return event;
    server.queue(event);
    this.#await(event.owner, server);
    return undefined;
  }

  #settleCosts(): void {
    const owner = this.#current;
    const charged = this.#charged;
    this.#charged = 0;
    if (owner === this.world || !owner.alive) return;
    const server = this.#serverOf(owner);
    server.work(this.#now, charged);
    this.#cores?.work(this.#now, charged);
    if (server.waiting > 0) this.#await(owner, server);
  }

  #await(owner: Owner, server: SerialServer<KernelEvent>, sequence?: number): void {
    if (server.awaited) return;
    server.awaited = true;
    const free = Math.max(server.busyUntil, this.#cores?.freeAt ?? 0);
    this.#push(free - this.#now, 'deliver', owner, () => {}, false, server, sequence);
  }

  #serverOf(owner: Owner): SerialServer<KernelEvent> {
    const known = this.#servers.get(owner);
    if (known) return known;
    const server = new SerialServer<KernelEvent>();
    this.#servers.set(owner, server);
    return server;
  }

  #advance(event: KernelEvent): void {
    if (event.at > this.#now) {
      this.#now = event.at;
      this.#stuck = 0;
    } else if (++this.#stuck >= this.#livelock) {
      throw new Error(
        `${this.#stuck} events without the clock moving at ${this.#now} us: the last is of ${describeOwner(event.owner)}`,
      );
    }
  }

  #blame(error: unknown): Error {
    return new Error(`an event of ${describeOwner(this.#current)} threw at ${this.#now} us`, {
      cause: error,
    });
  }
}
