/**
 * A file whose page gives no sha256: streamed from the upstream, a request for each client; never kept, shared or asked of
 * peers. A broken transfer is gone on with at the byte reached, unless the file has changed meanwhile. Where the page
 * gives another hash and the whole file is read, its last bytes are held back until that hash fits.
 */
import { createHash, type Hash } from 'node:crypto';
import { type Clock, type Randomness, sleep, type Timer } from '../core/clock.ts';
import {
  FondueError,
  IntegrityError,
  NotFoundError,
  UnavailableError,
  UpstreamError,
} from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { FileAnswer, Upstream } from '../upstream/upstream.ts';
import { firstByte, refusal } from './first-byte.ts';
import { createFlightReader, type Seat } from './flight-reader.ts';
import { createGrowingFile } from './growing-file.ts';
import type { FileRef, OpenAnswer, Patience } from './mirror.ts';
import { createPassThrough } from './pass-through.ts';
import { createUpstreamTurns } from './upstream-turns.ts';

export interface DirectDeps {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly offline: boolean;
}

/** Names of hashes on pages and in node:crypto, the best first. */
const CHECKED = ['sha512', 'sha384', 'sha224', 'sha1', 'md5'];

/** Only from `options.offset` on; earlier bytes cannot be read of what is opened. */
export async function openDirectFile(
  deps: DirectDeps,
  ref: FileRef,
  options: Patience & { offset?: number },
): Promise<OpenAnswer> {
  const { clock } = deps;
  const origin = options.offset ?? 0;
  const growth = createGrowingFile(clock);
  const controller = new AbortController();
  const attempts: string[] = [];
  const seat: Seat = { position: 0, leftBehind: false };
  const ground = await createPassThrough({
    clock,
    window: limits.fetch.passThroughLeast,
    prefix: undefined,
    leaveBehind: () => undefined,
  });
  let size = ref.size;
  const leave = (): void => {
    controller.abort(new Error('the client has left'));
    growth[Symbol.dispose]();
    void ground[Symbol.asyncDispose]();
  };
  const pumping = pump({
    ...deps,
    ref,
    origin,
    signal: controller.signal,
    note: (what) => void attempts.push(what),
    here: () => ground.length,
    learnSize(told) {
      size ??= told;
      if (told !== undefined && told !== size) {
        throw new IntegrityError({ expected: `${size} bytes`, actual: `${told} bytes`, source: ref.url });
      }
      if (size !== undefined) growth.learnSize(Math.max(0, size - origin));
      return size;
    },
    async append(bytes) {
      await ground.append(bytes, ref.url);
      growth.grow(ground.length);
    },
  }).then(
    () => growth.verify(ground.length),
    (error: unknown) =>
      growth.fail(error instanceof FondueError ? error : new UnavailableError(String(error))),
  );
  void pumping;
  let opened = false;
  try {
    opened = await firstByte(clock, growth, 0, options);
  } finally {
    if (!opened) leave();
  }
  if (!opened) {
    const late = `${ref.filename} did not come in time: ${attempts.join('; ')}`;
    return refusal(growth.failure ?? new UnavailableError(late, attempts));
  }
  const reader = createFlightReader({
    clock,
    growth,
    seat,
    wait: options.wait ?? limits.gateway.wait,
    source: 'upstream',
    readAt: (target, offset) => ground.read(target, offset),
    moved: () => ground.release(seat.position),
    leave,
  });
  return {
    kind: 'opened',
    file: {
      source: 'upstream',
      complete: false,
      get size() {
        return size;
      },
      get available() {
        return origin + reader.available;
      },
      knownSize: async (call) => {
        await reader.knownSize(call);
        return size;
      },
      async read(target, offset, call) {
        if (offset < origin) throw new UnavailableError(`${ref.filename} was opened at byte ${origin}`);
        return reader.read(target, offset - origin, call);
      },
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    },
  };
}

interface Pump extends DirectDeps {
  readonly ref: FileRef;
  readonly origin: number;
  readonly signal: AbortSignal;
  note(what: string): void;
  /** Bytes given on so far. */
  here(): number;
  /** Of the whole file; throws when it contradicts. */
  learnSize(told: number | undefined): number | undefined;
  append(bytes: Uint8Array): Promise<void>;
}

/** Until all bytes came; mends what breaks. */
async function pump(job: Pump): Promise<void> {
  const { clock, ref, origin, signal } = job;
  const turns = createUpstreamTurns({ ...job, usable: () => !job.offline && ref.url !== '' });
  const check = checksum(job);
  let progressAt = clock.monotonic();
  let patience: number = limits.fetch.stall;
  for (;;) {
    const before = job.here();
    if (turns.isAbsent) throw new NotFoundError(`${ref.url} does not exist`);
    if (turns.state() === 'never')
      throw turns.wrong ?? new UnavailableError(`${ref.filename} cannot be asked for`);
    if (turns.state() === 'waiting') await sleep(clock, turns.notBefore - clock.monotonic(), signal);
    const stall = createStallWatch(clock, patience, signal);
    try {
      const answer = await job.upstream.file(ref.url, {
        ...(origin + before > 0 ? { offset: origin + before, etag: turns.etags.known } : {}),
        signal: stall.signal,
      });
      if (answer === undefined) turns.absent();
      else if (await transfer(job, answer, { stall, etags: turns.etags, hash: check?.hash })) break;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof IntegrityError && job.here() > 0) throw error;
      turns.over(job.here() - before, error);
    } finally {
      stall.stop();
    }
    const brought = job.here() > before;
    if (brought) progressAt = clock.monotonic();
    patience = brought ? limits.fetch.stall : patience * 2;
    if (clock.monotonic() - progressAt >= limits.fetch.giveUp) {
      throw new UnavailableError(`${ref.url} gives nothing`);
    }
  }
  check?.verify();
}

/** One answer, to its end; true when that is the end of the file. */
async function transfer(
  job: Pump,
  answer: FileAnswer,
  { stall, etags, hash }: { stall: StallWatch; etags: { known?: string }; hash: Hash | undefined },
): Promise<boolean> {
  const { ref, origin } = job;
  await using open = answer;
  const size = job.learnSize(open.size);
  if (job.here() > 0 && etags.known !== undefined && open.etag !== etags.known) {
    throw new IntegrityError({ expected: etags.known, actual: open.etag ?? 'no ETag', source: ref.url });
  }
  if (open.etag !== undefined) etags.known = open.etag;
  let at = open.offset;
  for await (const bytes of open.body) {
    stall.signal.throwIfAborted();
    stall.stop();
    const skip = Math.min(bytes.length, Math.max(0, origin + job.here() - at));
    at += bytes.length;
    if (size !== undefined && at > size) {
      throw new IntegrityError({ expected: `${size} bytes`, actual: `${at} bytes`, source: ref.url });
    }
    if (skip < bytes.length) {
      const fresh = bytes.subarray(skip);
      hash?.update(fresh);
      await job.append(fresh);
    }
    stall.start();
  }
  if (size !== undefined && at < size) {
    throw new UpstreamError({ url: ref.url }, `${ref.url} ended at byte ${at} of ${size}`);
  }
  return true;
}

/** Aborts a request that gives nothing; does not count the time that the client takes. */
interface StallWatch {
  readonly signal: AbortSignal;
  start(): void;
  stop(): void;
}

function createStallWatch(clock: Clock, patience: number, parent: AbortSignal): StallWatch {
  const controller = new AbortController();
  const expire = (): void =>
    controller.abort(new DOMException(`nothing came for ${patience} ms`, 'TimeoutError'));
  let timer: Timer | undefined = clock.setTimer(expire, patience);
  return {
    signal: AbortSignal.any([parent, controller.signal]),
    start() {
      timer?.cancel();
      timer = clock.setTimer(expire, patience);
    },
    stop: () => timer?.cancel(),
  };
}

function checksum({ ref, origin }: Pump): { hash: Hash; verify(): void } | undefined {
  const name = CHECKED.find((known) => ref.file?.hashes[known] !== undefined);
  const expected = name === undefined ? undefined : ref.file?.hashes[name];
  if (name === undefined || expected === undefined || origin > 0) return undefined;
  const hash = createHash(name);
  return {
    hash,
    verify() {
      const actual = hash.digest('hex');
      if (actual !== expected) throw new IntegrityError({ expected, actual, source: ref.url });
    },
  };
}
