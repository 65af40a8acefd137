/**
 * One lane is one way bytes come: an upstream request, one or more peers, or a stranger on trial. Lanes bring bytes in
 * order from their own start; what is here already is discarded. Nothing of a stopped lane gets through.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { type Digest, digestFromBytes } from '../core/digest.ts';
import { IntegrityError, UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Holder, PeerNetwork, Priority } from '../network/peer-network.ts';
import type { FileAnswer, Upstream } from '../upstream/upstream.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { parallelRanges } from './parallel-ranges.ts';
import { createMeter, type Meter } from './source-progress.ts';

/** The flight, as its sources see it. */
export interface SupplyTarget {
  readonly digest: Digest;
  /** At the upstream; '' when there is none. */
  readonly url: string;
  readonly private: boolean;
  readonly priority: Priority;
  /** Bytes taken so far, from 0: the next one wanted. */
  readonly here: number;
  readonly size: number | undefined;
  /** A source says the blob has this size; false when that contradicts what is known. */
  learnSize(size: number, from: 'upstream' | 'peer'): boolean;
  /** Bytes from `here` on; a promise when the source should wait. */
  append(bytes: Uint8Array, source: string): Promise<void> | undefined;
  /** A source that told no size came to its end, at `here`. */
  ended(): void;
  /** All of the blob, verified; resolves when `bytes` are not needed any more. */
  adopt(bytes: Uint8Array, source: string): Promise<void>;
  /** From `here` on a stranger brings bytes. */
  withhold(): void;
  /** No source is left. */
  gaveUp(failure: Error): void;
}

export interface Lane {
  readonly id: number;
  readonly kind: 'upstream' | 'peers' | 'stranger';
  readonly peers: Holder[];
  /** Those of them that broke. */
  gone: number;
  /** Takes one more peer; undefined while nobody can join. */
  join: ((peer: Holder) => void) | undefined;
  readonly meter: Meter;
  readonly controller: AbortController;
  /** Next byte it will bring. */
  position: number;
  /** Bytes it brought that were not here yet. */
  fresh: number;
  discarded: number;
  /** It waits for whoever takes its bytes: that is not its slowness. */
  blocked: boolean;
  /** When that was over last. */
  freeAt: number;
}

export interface LaneDeps {
  readonly upstream: Upstream;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  readonly target: SupplyTarget;
  /** The lane passed another 256 KiB. */
  onProgress(): void;
  onPeerFailure(lane: Lane, peerId: string, error: unknown): void;
}

export function createLane(
  id: number,
  kind: Lane['kind'],
  start: { now: number; offset: number },
  peers: readonly Holder[] = [],
): Lane {
  return {
    id,
    kind,
    peers: [...peers],
    gone: 0,
    join: undefined,
    meter: createMeter(start.now),
    controller: new AbortController(),
    position: start.offset,
    fresh: 0,
    discarded: 0,
    blocked: false,
    freeAt: -Infinity,
  };
}

export const peerSource = (peerId: string): string => `peer:${peerId}`;

/** From the byte reached to the end. Resolves to false when the upstream does not have the file (404, 410). */
export async function runUpstreamLane(
  deps: LaneDeps,
  lane: Lane,
  etags: { known?: string },
): Promise<boolean> {
  const { upstream, target } = deps;
  const { signal } = lane.controller;
  const offset = lane.position;
  const range = offset > 0 ? { offset, etag: etags.known } : {};
  let answer: FileAnswer | undefined;
  try {
    answer = await upstream.file(target.url, { ...range, signal });
  } catch (error) {
    // A partial of a file of unknown size may be all of it.
    if (!(error instanceof UpstreamError && error.status === 416 && target.size === undefined)) throw error;
    endOfUnknown(target, lane);
    return true;
  }
  if (answer === undefined) return false;
  await using open = answer;
  checkSize(target, open.size, 'upstream', target.url);
  if (open.etag !== undefined) etags.known = open.etag;
  if (open.offset > offset)
    throw brokenUpstream(target.url, `answered from byte ${open.offset}, not ${offset}`);
  lane.position = open.offset;
  for await (const bytes of open.body) await receive(deps, lane, bytes, target.url);
  if (target.size === undefined) endOfUnknown(target, lane);
  else if (lane.position < target.size) {
    throw brokenUpstream(target.url, `ended at byte ${lane.position} of ${target.size}`);
  }
  return true;
}

/**
 * Up to `end` (undefined: to the end, wherever that is) from one peer, or from several in parallel. Known peers that are found
 * while they give all of the rest may join; a stranger's bytes stay one sender's.
 */
export async function runPeersLane(deps: LaneDeps, lane: Lane, end: number | undefined): Promise<void> {
  if (lane.peers.length === 0) return;
  const joinable = end !== undefined && end === deps.target.size && lane.peers.every(({ proven }) => proven);
  try {
    if (lane.peers.length === 1) await runOnePeer(deps, lane, { end, joinable });
    if (lane.peers.length > 1 && end !== undefined) await runSeveralPeers(deps, lane, { end, joinable });
  } finally {
    lane.join = undefined;
  }
}

async function runOnePeer(
  deps: LaneDeps,
  lane: Lane,
  { end, joinable }: { end: number | undefined; joinable: boolean },
): Promise<void> {
  const { target } = deps;
  const [{ peerId }] = lane.peers as [Holder];
  const alone = new AbortController();
  const signal = AbortSignal.any([lane.controller.signal, alone.signal]);
  if (joinable) {
    lane.join = (peer) => {
      lane.peers.push(peer);
      alone.abort(new Error('several peers give it now'));
    };
  }
  const length = end === undefined ? undefined : end - lane.position;
  try {
    for await (const bytes of peerBytes(deps, { peerId, offset: lane.position, length, signal })) {
      await receive(deps, lane, bytes, peerSource(peerId));
    }
  } catch (error) {
    if (!signal.aborted) deps.onPeerFailure(lane, peerId, error);
    return;
  }
  if (target.size === undefined) endOfUnknown(target, lane);
}

async function runSeveralPeers(
  deps: LaneDeps,
  lane: Lane,
  { end, joinable }: { end: number; joinable: boolean },
): Promise<void> {
  const { clock, memory } = deps;
  const { signal } = lane.controller;
  const chunks = parallelRanges({
    start: lane.position,
    end,
    peers: lane.peers.map(({ peerId }) => peerId),
    onBegun(join) {
      if (!joinable) return;
      lane.join = (peer) => {
        lane.peers.push(peer);
        join(peer.peerId);
      };
    },
    fetch: (peerId, offset, length, stop) => peerBytes(deps, { peerId, offset, length, signal: stop }),
    onFailure(peerId, error) {
      lane.gone += 1;
      deps.onPeerFailure(lane, peerId, error);
    },
    clock,
    memory,
    signal,
  });
  for await (const { bytes, peerId } of chunks) await receive(deps, lane, bytes, peerSource(peerId));
}

export type Trial = 'fits' | 'no-memory' | { readonly wrong: Digest };

/** All of a small blob from one stranger into memory of its own: it touches nothing before the hash fits. */
export async function runTrial(deps: LaneDeps, lane: Lane, size: number): Promise<Trial> {
  const { target, memory } = deps;
  const [stranger] = lane.peers;
  if (stranger === undefined || !memory.take(size)) return 'no-memory';
  try {
    const { signal } = lane.controller;
    const whole = new Uint8Array(size);
    const hash = createHash('sha256');
    lane.position = 0;
    for await (const bytes of peerBytes(deps, { peerId: stranger.peerId, offset: 0, length: size, signal })) {
      signal.throwIfAborted();
      if (lane.position + bytes.length > size) throw tooLong(target, peerSource(stranger.peerId));
      whole.set(bytes, lane.position);
      hash.update(bytes);
      lane.position += bytes.length;
      lane.meter.add(deps.clock.monotonic(), bytes.length);
    }
    if (lane.position < size) throw tooLong(target, peerSource(stranger.peerId), lane.position);
    const actual = digestFromBytes(hash.digest());
    if (actual !== target.digest) return { wrong: actual };
    await target.adopt(whole, peerSource(stranger.peerId));
    return 'fits';
  } finally {
    memory.give(size);
  }
}

async function* peerBytes(
  { network, target }: LaneDeps,
  wanted: { peerId: string; offset: number; length: number | undefined; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { peerId, ...range } = wanted;
  const answer = await network.range(peerId, { digest: target.digest, priority: target.priority, ...range });
  await using open = answer;
  checkSize(target, open.blobSize, 'peer', peerSource(peerId));
  yield* open.body;
}

async function receive(deps: LaneDeps, lane: Lane, bytes: Uint8Array, source: string): Promise<void> {
  const { target, clock } = deps;
  lane.controller.signal.throwIfAborted();
  const offset = lane.position;
  const end = Math.min(offset + bytes.length, target.size ?? Infinity);
  lane.meter.add(clock.monotonic(), bytes.length);
  lane.position = end;
  const from = Math.min(end, Math.max(offset, target.here));
  lane.discarded += from - offset;
  if (from < end) {
    lane.fresh += end - from;
    const wait = target.append(bytes.subarray(from - offset, end - offset), source);
    if (wait !== undefined) {
      lane.blocked = true;
      await wait;
      lane.blocked = false;
      lane.freeAt = clock.monotonic();
    }
  }
  // What is there up to the promised size may be right; what comes after it is not wanted in any case.
  if (end < offset + bytes.length) throw tooLong(target, source);
  const { winBytes } = limits.race;
  if (Math.floor(end / winBytes) !== Math.floor(offset / winBytes)) deps.onProgress();
}

/** A lane that another has left behind says nothing of the end. */
function endOfUnknown(target: SupplyTarget, lane: Lane): void {
  if (lane.position >= target.here) target.ended();
}

function checkSize(
  target: SupplyTarget,
  size: number | undefined,
  from: 'upstream' | 'peer',
  source: string,
): void {
  if (size === undefined || target.learnSize(size, from)) return;
  throw new IntegrityError({ expected: `${target.size} bytes`, actual: `${size} bytes`, source });
}

function tooLong(target: SupplyTarget, source: string, actual?: number): IntegrityError {
  const seen = actual === undefined ? `more than ${target.size} bytes` : `${actual} bytes`;
  return new IntegrityError({ expected: `${target.size} bytes`, actual: seen, source });
}

function brokenUpstream(url: string, what: string): UpstreamError {
  return new UpstreamError({ url }, `${url} ${what}`);
}
