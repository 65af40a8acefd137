/** The acceptor's side for all peers: who they are to us, their shares, and the streams they opened. */
import { isIP } from 'node:net';
import type { Connection, Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ProtocolViolation } from '../blob-protocol/frames.ts';
import { createGetSlots } from '../blob-protocol/get-slots.ts';
import { createTokenBucket, type TokenBucket } from '../blob-protocol/token-bucket.ts';
import type { Shelf } from '../peer-network.ts';
import { acceptStream, type Acceptor, type AcceptorPeer } from './blob-acceptor.ts';
import { createLeavesCache } from './blob-leaves.ts';
import { createUploadGate, type UploadGate } from './blob-upload-gate.ts';
import { createConnectionWriters, type ConnectionWriters } from './blob-writers.ts';
import { createBudget } from './byte-budget.ts';
import { parsePeerAddress, subnetOf } from './peer-address.ts';
import { createSendBuffers } from './send-buffers.ts';
import type { Sweeper } from './sweeper.ts';

export interface BlobServerDeps {
  readonly clock: Clock;
  readonly shelf: Shelf;
  readonly sweeper: Sweeper;
  readonly uploadLimit: number | undefined;
  mayRead(peerId: string): boolean;
  isLan(peerId: string): boolean;
  isRemembered(peerId: string): boolean;
  isProven(peerId: string): boolean;
  isBanned(peerId: string): boolean;
  onViolation(peerId: string, violation: ProtocolViolation): void;
  onSent(peerId: string, bytes: number): void;
}

export interface BlobServer extends Disposable {
  accept(stream: Stream, connection: Connection): void;
  totals(): { readonly activeGets: number; readonly busyAnswers: number };
  /** The user's upload limit, for whatever else is bulk. */
  readonly gate: UploadGate | undefined;
}

interface Buckets {
  readonly have: TokenBucket;
  readonly leaves: TokenBucket;
  readonly refusals: TokenBucket;
}

/** The streams of one connection. */
interface Link {
  readonly writers: ConnectionWriters;
  readonly streams: Set<Stream>;
  lastActive: number;
}

export function createBlobServer(deps: BlobServerDeps): BlobServer {
  const { clock } = deps;
  const slots = createGetSlots();
  const budget = createBudget(limits.blob.totalBuffer);
  const buffers = createSendBuffers();
  const leaves = createLeavesCache();
  const gate = deps.uploadLimit === undefined ? undefined : createUploadGate(clock, deps.uploadLimit);
  const links = new Map<Connection, Link>();
  const acceptors = new Set<Acceptor>();
  const buckets = new Map<string, Buckets>();
  let busyAnswers = 0;

  const linkOf = (connection: Connection): Link => {
    let link = links.get(connection);
    if (!link) {
      link = { writers: createConnectionWriters(gate), streams: new Set(), lastActive: clock.monotonic() };
      links.set(connection, link);
    }
    return link;
  };
  /** By peer, not by connection: reconnecting gives no new burst. */
  const bucketsOf = (peerId: string): Buckets => {
    const now = clock.monotonic();
    const { haveRate, haveBurst, leavesRate, leavesBurst, refusalRate, refusalBurst } = limits.blob;
    const found = buckets.get(peerId) ?? {
      have: createTokenBucket({ rate: haveRate, burst: haveBurst, now }),
      leaves: createTokenBucket({ rate: leavesRate, burst: leavesBurst, now }),
      refusals: createTokenBucket({ rate: refusalRate, burst: refusalBurst, now }),
    };
    buckets.delete(peerId);
    buckets.set(peerId, found);
    if (buckets.size > limits.blob.recordsKept) buckets.delete(buckets.keys().next().value as string);
    return found;
  };
  const peerOf = (peerId: string, connection: Connection): AcceptorPeer => {
    const { have, leaves, refusals } = bucketsOf(peerId);
    return {
      asker: (priority) => {
        const lan = deps.isLan(peerId);
        const privileged = lan || deps.isRemembered(peerId);
        const group = lan ? undefined : groupOf(connection);
        return { peerId, group, privileged, proven: privileged || deps.isProven(peerId), priority };
      },
      get mayRead() {
        return deps.mayRead(peerId);
      },
      haveTokens: have,
      leavesTokens: leaves,
      refusalTokens: refusals,
      onSent: (bytes) => deps.onSent(peerId, bytes),
      onBusy: () => void busyAnswers++,
      onViolation: (violation) => deps.onViolation(peerId, violation),
    };
  };
  const stopWatching = deps.sweeper.watch((now) => {
    for (const acceptor of acceptors) acceptor.check(now);
  });

  return {
    gate,
    accept(stream, connection) {
      const peerId = connection.remotePeer.toString();
      if (deps.isBanned(peerId)) {
        stream.abort(new Error(`${peerId} is banned`));
        return;
      }
      const link = linkOf(connection);
      const first = link.streams.size === 0;
      link.streams.add(stream);
      let lastActive = (link.lastActive = clock.monotonic());
      const acceptor = acceptStream(
        { clock, shelf: deps.shelf, slots, budget, buffers, leaves },
        peerOf(peerId, connection),
        stream,
        {
          writer: link.writers.writer(stream),
          active(now) {
            if (now !== undefined) lastActive = link.lastActive = now;
            // The control stream is opened first and stays as long as any other is in use: a later one would be slower.
            return first ? link.lastActive : lastActive;
          },
          onClose() {
            acceptors.delete(acceptor);
            link.streams.delete(stream);
            if (link.streams.size === 0) links.delete(connection);
          },
        },
      );
      acceptors.add(acceptor);
    },
    totals: () => ({ activeGets: slots.active, busyAnswers }),
    [Symbol.dispose]() {
      stopWatching();
      gate?.[Symbol.dispose]();
      for (const acceptor of acceptors) acceptor.close('this node stops');
    },
  };
}

/** The public /24 or /48 that a connection comes from. */
function groupOf(connection: Connection): string | undefined {
  const text = connection.remoteAddr.toString();
  const address = parsePeerAddress(text);
  if (!address || isIP(address.host) === 0) return text;
  return subnetOf(address.host);
}
