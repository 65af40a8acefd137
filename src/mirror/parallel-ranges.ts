/**
 * One large blob from several peers at once, in units of 1 MiB, given on in order. Always true: at most 16 MiB run ahead
 * of what was given on; a unit besides the first takes its memory from the budget of all flights before it is asked for;
 * what one peer does not bring another goes on with, at the byte reached; nothing runs on after the loop was left.
 */
import { type Clock, sleep } from '../core/clock.ts';
import { limits } from '../core/limits.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { createMeter, isStalled, isTooSlow, type Meter } from './source-progress.ts';

export interface OrderedChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly peerId: string;
}

export interface ParallelRanges {
  readonly start: number;
  readonly end: number;
  readonly peers: readonly string[];
  /** Told at once how others join while it runs. */
  onBegun?(join: (peerId: string) => void): void;
  fetch(peerId: string, offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A peer that broke, or was too slow for the first unit while others waited; it gets no more units. */
  onFailure(peerId: string, error: unknown): void;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  readonly signal: AbortSignal;
}

interface Unit {
  readonly end: number;
  /** Next byte to be asked for. */
  reached: number;
  readonly budgeted: boolean;
  readonly chunks: OrderedChunk[];
  owner: { readonly peerId: string; readonly meter: Meter; readonly controller: AbortController } | undefined;
}

/** Slower than all others wait for: taken away from its peer. */
class TooSlow extends Error {}

const { unit: UNIT, window: WINDOW, parallelPerPeer } = limits.race;
const IDLE_LOOK = 500;
const STALLED = 1000;

/** Ends after `end`, or throws when no peer is left. */
export async function* parallelRanges(options: ParallelRanges): AsyncGenerator<OrderedChunk> {
  const { start, end, clock, memory } = options;
  const controller = new AbortController();
  const signal = AbortSignal.any([options.signal, controller.signal]);
  const units: Unit[] = [];
  const peers: string[] = [];
  const workers: Promise<void>[] = [];
  const gone = new Set<string>();
  let next = start;
  let given = start;
  let changed = Promise.withResolvers<void>();
  const change = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  function claim(): Unit | undefined {
    const free = units.find((unit) => unit.owner === undefined && unit.reached < unit.end);
    if (free !== undefined) return free;
    if (next >= end || next >= given + WINDOW) return undefined;
    const budgeted = units.length > 0;
    if (budgeted && !memory.take(UNIT)) return undefined;
    const unit: Unit = {
      end: Math.min(end, next + UNIT),
      reached: next,
      budgeted,
      chunks: [],
      owner: undefined,
    };
    next = unit.end;
    units.push(unit);
    return unit;
  }

  /** Somebody is idle because everything waits for the first unit: its peer loses it when it does not progress. */
  function freeHead(): void {
    const owner = units[0]?.owner;
    if (owner === undefined || peers.every((peer) => peer === owner.peerId || gone.has(peer))) return;
    const now = clock.monotonic();
    if (isStalled(owner.meter, now, STALLED) || isTooSlow(owner.meter, now, undefined)) {
      owner.controller.abort(new TooSlow(`${owner.peerId} keeps the others waiting`));
    }
  }

  async function fill(unit: Unit, peerId: string): Promise<void> {
    const owner = { peerId, meter: createMeter(clock.monotonic()), controller: new AbortController() };
    unit.owner = owner;
    try {
      const both = AbortSignal.any([signal, owner.controller.signal]);
      for await (const bytes of options.fetch(peerId, unit.reached, unit.end - unit.reached, both)) {
        owner.controller.signal.throwIfAborted();
        if (unit.reached + bytes.length > unit.end) throw new Error(`${peerId} sent more than was asked for`);
        unit.chunks.push({ offset: unit.reached, bytes, peerId });
        unit.reached += bytes.length;
        owner.meter.add(clock.monotonic(), bytes.length);
        change();
      }
      if (unit.reached < unit.end) throw new Error(`${peerId} ended its answer early`);
    } finally {
      unit.owner = undefined;
      change();
    }
  }

  async function work(peerId: string): Promise<void> {
    while (
      !signal.aborted &&
      !gone.has(peerId) &&
      (next < end || units.some((unit) => unit.reached < unit.end))
    ) {
      const unit = claim();
      if (unit === undefined) {
        const look = new AbortController();
        try {
          await Promise.race([changed.promise, sleep(clock, IDLE_LOOK, look.signal)]);
        } finally {
          look.abort();
        }
        freeHead();
        continue;
      }
      try {
        await fill(unit, peerId);
      } catch (error) {
        if (signal.aborted || gone.has(peerId)) return;
        gone.add(peerId);
        options.onFailure(peerId, error);
        if (gone.size === peers.length) controller.abort(error);
        change();
      }
    }
  }

  function join(peerId: string): void {
    if (signal.aborted || peers.includes(peerId)) return;
    peers.push(peerId);
    for (let n = 0; n < parallelPerPeer; n++) workers.push(work(peerId));
  }

  options.signal.addEventListener('abort', change, { once: true });
  for (const peerId of options.peers) join(peerId);
  options.onBegun?.(join);
  try {
    while (given < end) {
      const head = units[0];
      const chunk = head?.chunks.shift();
      if (chunk !== undefined) {
        given = chunk.offset + chunk.bytes.length;
        yield chunk;
      } else if (head !== undefined && head.reached >= head.end) {
        units.shift();
        if (head.budgeted) memory.give(UNIT);
        change();
      } else {
        signal.throwIfAborted();
        await changed.promise;
      }
    }
  } finally {
    options.signal.removeEventListener('abort', change);
    controller.abort(new Error('the parallel transfer is over'));
    change();
    await Promise.allSettled(workers);
    for (const unit of units) if (unit.budgeted) memory.give(UNIT);
  }
}
