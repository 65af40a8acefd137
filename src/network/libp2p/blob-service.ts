/**
 * The blob protocol on a libp2p node: serves what the shelf shows, asks peers, and keeps count. Composed by the libp2p
 * network, which finds peers, holds bans and knows who is on the LAN.
 */
import type { Libp2p } from '@libp2p/interface';
import type { Clock, Randomness } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { LeavesAnswer } from '../blob-protocol/answers.ts';
import { BLOB_PROTOCOL, type ProtocolViolation } from '../blob-protocol/frames.ts';
import { createPeerRecords, type PeerRecord } from '../blob-protocol/peer-records.ts';
import { createViolationCounter } from '../blob-protocol/violations.ts';
import type { PeerCallOptions, RangeAnswer, RangeRequest, Shelf, Verdict } from '../peer-network.ts';
import { createBlobClient, type LeavesQuestion } from './blob-client.ts';
import { createBlobServer } from './blob-server.ts';
import type { UploadGate } from './blob-upload-gate.ts';
import { createPeerTraffic } from './blob-traffic.ts';
import { createSweeper } from './sweeper.ts';

export interface BlobServiceOptions {
  readonly libp2p: Libp2p;
  readonly shelf: Shelf;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  /** Bytes a second; undefined: no limit. */
  readonly uploadLimit: number | undefined;
  readonly share: 'all' | 'lan' | 'none';
  isLan(peerId: string): boolean;
  isRemembered(peerId: string): boolean;
  /** `ms` where it is not the usual time. */
  ban(peerId: string, reason: string, digest: Digest | undefined, ms?: number): void;
  isBanned(peerId: string): boolean;
}

export interface BlobTotals {
  readonly uploadedBytes: number;
  readonly activeGets: number;
  readonly busyAnswers: number;
  readonly perPeer: ReadonlyMap<string, { readonly receivedBytes: number; readonly sentBytes: number }>;
}

export interface BlobService extends AsyncDisposable {
  /** Resolves when the protocol is registered with libp2p. */
  readonly ready: Promise<void>;
  /** Opens the control stream to a peer that may soon be asked. */
  prepare(peerId: string): void;
  /** HAVE on the control stream; `undefined`: none. Throws PeerError. */
  have(
    peerId: string,
    digests: readonly Digest[],
    options: PeerCallOptions,
  ): Promise<{ readonly load: number; readonly sizes: readonly (number | undefined)[] }>;
  /** SHA-256 of 1 MiB chunks, as this peer says: a hint whom to suspect, never a proof. Throws PeerError. */
  leaves(peerId: string, question: LeavesQuestion, options: PeerCallOptions): Promise<LeavesAnswer>;
  range(peerId: string, request: RangeRequest): Promise<RangeAnswer>;
  record(peerId: string): PeerRecord;
  judge(peerId: string, verdict: Verdict): void;
  totals(): BlobTotals;
  /** The user's upload limit, for whatever else is bulk. */
  readonly gate: UploadGate | undefined;
}

export function createBlobService(options: BlobServiceOptions): BlobService {
  const { libp2p, clock, facts } = options;
  const sweeper = createSweeper(clock);
  const records = createPeerRecords();
  const violations = createViolationCounter();
  const traffic = createPeerTraffic();
  const isBanned = (peerId: string): boolean => options.isBanned(peerId);

  const onViolation = (peerId: string, violation: ProtocolViolation): void => {
    facts.emit('network:noted', { message: `${peerId} broke the blob protocol: ${violation.message}` });
    if (violations.note(peerId, clock.monotonic()))
      options.ban(peerId, 'protocol', undefined, limits.blob.violationBan);
  };
  const server = createBlobServer({
    clock,
    shelf: options.shelf,
    sweeper,
    uploadLimit: options.uploadLimit,
    mayRead: (peerId) => options.share === 'all' || (options.share === 'lan' && options.isLan(peerId)),
    isLan: (peerId) => options.isLan(peerId),
    isRemembered: (peerId) => options.isRemembered(peerId),
    isProven: (peerId) => records.of(peerId, clock.monotonic()).proven,
    isBanned,
    onViolation,
    onSent: (peerId, bytes) => traffic.sent(peerId, bytes),
  });
  const client = createBlobClient({
    libp2p,
    clock,
    sweeper,
    records,
    isBanned,
    onViolation,
    onReceived: (peerId, bytes) => traffic.received(peerId, bytes),
  });
  const ready = libp2p.handle(BLOB_PROTOCOL, (stream, connection) => server.accept(stream, connection), {
    maxInboundStreams: limits.blob.inboundStreams,
    // Control, bulk, and those that are just being replaced.
    maxOutboundStreams: 4 * limits.blob.bulkStreams,
  });
  ready.catch(() => undefined);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await libp2p.unhandle(BLOB_PROTOCOL);
    client[Symbol.dispose]();
    server[Symbol.dispose]();
    sweeper[Symbol.dispose]();
  };
  return {
    ready,
    gate: server.gate,
    prepare: (peerId) => client.prepare(peerId),
    have: (peerId, digests, call) => client.have(peerId, digests, call),
    leaves: (peerId, question, call) => client.leaves(peerId, question, call),
    range: (peerId, request) => client.range(peerId, request),
    record: (peerId) => records.of(peerId, clock.monotonic()),
    judge(peerId, verdict) {
      records.judge(peerId, verdict, clock.monotonic());
      if (verdict.kind === 'wrong-bytes') options.ban(peerId, 'wrong-bytes', verdict.digest);
    },
    totals: () => ({ ...server.totals(), uploadedBytes: traffic.uploadedBytes, perPeer: traffic.perPeer() }),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}
