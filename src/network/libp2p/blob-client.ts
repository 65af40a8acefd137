/**
 * Asking peers: HAVE and ranges over pooled streams. What must always hold: an answer is for the blob, offset and size that
 * were asked, or an error; whoever stops reading costs nothing more; a break before any answer byte is nobody's fault and
 * tried once more.
 */
import type { Connection, Libp2p } from '@libp2p/interface';
import { deadline, type Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { PeerError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { HaveAnswer, LeavesAnswer } from '../blob-protocol/answers.ts';
import { BLOB_PROTOCOL, type ProtocolViolation } from '../blob-protocol/frames.ts';
import type { PeerRecords } from '../blob-protocol/peer-records.ts';
import type { PeerCallOptions, RangeAnswer, RangeRequest } from '../peer-network.ts';
import { createBlobControl, type BlobControl } from './blob-control.ts';
import { UnansweredError, createOpener, type Opener } from './blob-opener.ts';
import { createBlobPool, type BlobPool } from './blob-pool.ts';
import { rangeAnswer } from './blob-range.ts';
import { peerErrorOf } from './blob-refusal.ts';
import type { Sweeper } from './sweeper.ts';

export interface BlobClientDeps {
  readonly libp2p: Libp2p;
  readonly clock: Clock;
  readonly sweeper: Sweeper;
  readonly records: PeerRecords;
  isBanned(peerId: string): boolean;
  onViolation(peerId: string, violation: ProtocolViolation): void;
  onReceived(peerId: string, bytes: number): void;
}

export interface BlobClient extends Disposable {
  /** Opens the stream for questions before the first one, which then costs one round trip and not two. Never throws. */
  prepare(peerId: string): void;
  have(peerId: string, digests: readonly Digest[], options: PeerCallOptions): Promise<HaveAnswer>;
  leaves(peerId: string, request: LeavesQuestion, options: PeerCallOptions): Promise<LeavesAnswer>;
  range(peerId: string, request: RangeRequest): Promise<RangeAnswer>;
}

export interface LeavesQuestion {
  readonly digest: Digest;
  readonly from: number;
  readonly count: number;
}

interface PeerClient {
  readonly connection: Connection;
  readonly pool: BlobPool;
  readonly control: BlobControl;
  /** What it said of blobs' sizes: it must not say otherwise later. */
  readonly sizes: Map<Digest, number>;
}

export function createBlobClient(deps: BlobClientDeps): BlobClient {
  const { clock, libp2p } = deps;
  const peers = new Map<string, PeerClient>();

  const open = async (peerId: string, connection: Connection) => {
    using limit = deadline(clock, limits.blob.controlTime);
    try {
      return await connection.newStream(BLOB_PROTOCOL, { signal: limit.signal });
    } catch (error) {
      throw unreachable(peerId, 'opens no stream', error);
    }
  };
  const connect = (peerId: string, connection: Connection): PeerClient => {
    const pool = createBlobPool({
      peerId,
      open: () => open(peerId, connection),
      wrap: (stream) => {
        const opener = createOpener(
          {
            clock,
            peerId,
            onViolation: (violation) => deps.onViolation(peerId, violation),
            onReceived: (bytes) => deps.onReceived(peerId, bytes),
          },
          stream,
        );
        const stop = deps.sweeper.watch((now) => opener.check(now, limits.blob.answerIdle));
        stream.addEventListener('close', stop);
        return opener;
      },
    });
    const client = {
      connection,
      pool,
      control: createBlobControl(peerId, () => pool.control()),
      sizes: new Map<Digest, number>(),
    };
    peers.set(peerId, client);
    connection.addEventListener('close', () => {
      pool.close(unreachable(peerId, 'disconnected'));
      if (peers.get(peerId) === client) peers.delete(peerId);
    });
    return client;
  };
  const clientOf = (peerId: string): PeerClient => {
    if (deps.isBanned(peerId)) throw unreachable(peerId, 'is banned');
    const present = peers.get(peerId);
    if (present?.connection.status === 'open') return present;
    const connection = libp2p
      .getConnections()
      // A relayed connection is for signalling: no bulk over it.
      .find((one) => one.status === 'open' && !one.limits && one.remotePeer.toString() === peerId);
    if (!connection) throw unreachable(peerId, 'is not connected');
    return connect(peerId, connection);
  };
  const rememberSize = ({ sizes }: PeerClient, digest: Digest, size: number | undefined): void => {
    if (size === undefined) return;
    sizes.set(digest, size);
    if (sizes.size > limits.blob.sizesKept) sizes.delete(sizes.keys().next().value as Digest);
  };

  return {
    prepare(peerId) {
      try {
        clientOf(peerId)
          .pool.control()
          .catch(() => undefined);
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    },
    async have(peerId, digests, { signal }) {
      signal?.throwIfAborted();
      const client = clientOf(peerId);
      const answer = await client.control.have(digests, signal);
      for (const [i, digest] of digests.entries()) rememberSize(client, digest, answer.sizes[i]);
      deps.records.loaded(peerId, answer.load);
      return answer;
    },
    async leaves(peerId, question, { signal }) {
      signal?.throwIfAborted();
      const client = clientOf(peerId);
      const { digest } = question;
      return client.control.leaves({ kind: 'leaves', ...question }, client.sizes.get(digest), signal);
    },
    async range(peerId, request) {
      const { signal, digest, offset, length, priority = 0 } = request;
      signal?.throwIfAborted();
      const client = clientOf(peerId);
      for (let attempt = 0; ; attempt++) {
        const opener = await client.pool.lease({ priority, fresh: attempt > 0, signal });
        try {
          const answer = await opener.ask(
            { kind: 'get', digest, offset, length, deadlineMs: limits.blob.askedDeadline, priority },
            {
              signal,
              knownSize: client.sizes.get(digest),
              onEnd: ({ bytes, ms }) => deps.records.measured(peerId, bytes, ms),
            },
          );
          if (answer.kind !== 'ok') throw peerErrorOf(peerId, answer);
          rememberSize(client, digest, answer.blobSize);
          return rangeAnswer(opener.incoming, answer, { signal, done: () => giveBack(client.pool, opener) });
        } catch (error) {
          client.pool.release(opener);
          if (error instanceof PeerError && error.failure === 'busy') deps.records.loaded(peerId, 255);
          if (attempt > 0 || !(error instanceof UnansweredError)) throw error;
        }
      }
    },
    [Symbol.dispose]() {
      for (const [peerId, { pool }] of peers) pool.close(unreachable(peerId, 'was left: this node stops'));
      peers.clear();
    },
  };
}

function unreachable(peerId: string, message: string, cause?: unknown): PeerError {
  return new PeerError({ peerId, failure: 'unreachable' }, `${peerId} ${message}`, { cause });
}

/** A cancelled answer that is read out frees its stream later. */
function giveBack(pool: BlobPool, opener: Opener): void {
  if (opener.usable || opener.gone) return pool.release(opener);
  opener.onFree(() => {
    opener.onFree(() => undefined);
    pool.release(opener);
  });
  return undefined;
}
