/** One GET in the in-memory world: the answer of a scripted peer. */
import { deadline, sleep, type Clock } from '../core/clock.ts';
import { PeerError, type PeerFailure } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { MemoryPeerRecords } from './memory-peer-records.ts';
import type { PeerBehaviour, WorldMember } from './memory-peer-network.ts';
import type { RangeAnswer, RangeRequest, ShelfReader } from './peer-network.ts';

const CHUNK = 64 * 1024;

export interface MemoryRangeDeps {
  readonly clock: Clock;
  readonly records: MemoryPeerRecords;
  /** Whether asker and peer are still connected. */
  linked(): boolean;
}

export async function memoryRange(
  deps: MemoryRangeDeps,
  peer: WorldMember,
  request: RangeRequest,
): Promise<RangeAnswer> {
  const { behaviour, peerId } = peer;
  const fail = (failure: PeerFailure, message: string, retryAfter?: number): PeerError =>
    new PeerError({ peerId, failure, ...(retryAfter === undefined ? {} : { retryAfter }) }, message);
  if (behaviour.latency) await sleep(deps.clock, behaviour.latency, request.signal);
  if (!deps.linked()) throw fail('reset', `the connection to ${peerId} broke`);
  if (behaviour.busy !== undefined) {
    peer.busyAnswers++;
    throw fail('busy', `${peerId} is busy`, behaviour.busy);
  }
  const reader = behaviour.notFoundAfterHave ? undefined : await peer.shelf.open(request.digest);
  if (!reader) throw fail('not-found', `${peerId} does not hold ${request.digest}`);
  const blobSize = behaviour.claimedSize ?? reader.size;
  if (request.offset > blobSize) {
    await reader[Symbol.asyncDispose]();
    throw fail('unreadable', `${peerId}: ${request.digest} ends before ${request.offset}`);
  }
  const { offset } = request;
  const length = Math.min(request.length ?? Infinity, blobSize - offset);
  peer.activeGets++;
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    peer.activeGets--;
    await reader[Symbol.asyncDispose]();
  };
  const body = bytes(deps, { peer, reader, offset, length, signal: request.signal, fail });
  return {
    blobSize,
    offset,
    length,
    body: {
      async *[Symbol.asyncIterator]() {
        try {
          yield* body;
        } finally {
          await close();
        }
      },
    },
    [Symbol.asyncDispose]: close,
  };
}

interface Transfer {
  readonly peer: WorldMember;
  readonly reader: ShelfReader;
  readonly offset: number;
  readonly length: number;
  readonly signal: AbortSignal | undefined;
  readonly fail: (failure: PeerFailure, message: string) => PeerError;
}

async function* bytes(deps: MemoryRangeDeps, transfer: Transfer): AsyncGenerator<Uint8Array> {
  const { peer, reader, offset, length, signal, fail } = transfer;
  for (let sent = 0; sent < length;) {
    signal?.throwIfAborted();
    const { behaviour } = peer;
    if (!deps.linked() || (behaviour.cutAt ?? Infinity) <= sent)
      throw fail('reset', `${peer.peerId} broke off after ${sent} bytes`);
    if ((behaviour.stallAt ?? Infinity) <= sent) await stall(deps.clock, signal, fail, peer.peerId);
    const { size, wait } = nextStep(behaviour, sent, length - sent);
    if (wait > 0) await sleep(deps.clock, wait, signal);
    const chunk = new Uint8Array(size);
    // A peer that claims more than it has sends zeros for the rest.
    const held = Math.min(size, reader.size - offset - sent);
    for (let filled = 0; filled < held;) {
      const count = await reader.read(chunk.subarray(filled, held), offset + sent + filled);
      if (count === 0) throw fail('unreadable', `${peer.peerId} cannot read its copy`);
      filled += count;
    }
    if (behaviour.wrongBytes) chunk[0] = (chunk[0] ?? 0) ^ 1;
    sent += size;
    peer.uploaded += size;
    deps.records.received(peer.peerId, size);
    yield chunk;
  }
}

/** Bytes of the next chunk and how long it takes: never across the point where the script changes. */
function nextStep(behaviour: PeerBehaviour, sent: number, left: number): { size: number; wait: number } {
  if (behaviour.drip && sent >= behaviour.drip.bytes) return { size: 1, wait: behaviour.drip.every };
  const turn = [behaviour.drip?.bytes, behaviour.cutAt, behaviour.stallAt]
    .filter((at) => at !== undefined && at > sent)
    .map((at) => (at as number) - sent);
  const size = Math.min(CHUNK, left, ...turn);
  return { size, wait: behaviour.rate ? (size * 1000) / behaviour.rate : 0 };
}

/** As the real client does: nothing for too long is an error of its own. */
async function stall(
  clock: Clock,
  signal: AbortSignal | undefined,
  fail: Transfer['fail'],
  peerId: string,
): Promise<never> {
  using limit = deadline(clock, limits.blob.answerIdle, signal);
  await new Promise<void>((resolve) => {
    if (limit.signal.aborted) resolve();
    limit.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  signal?.throwIfAborted();
  throw fail('deadline', `${peerId} sent nothing for ${limits.blob.answerIdle} ms`);
}
