/**
 * One stream that a peer opened to us: reads its requests and answers them one after the other. What must always hold: a
 * request costs memory look-ups, or reading what is ours and public; what is absent, private or not shared with this peer is
 * answered from the same place in the same way; whoever breaks the protocol or does not read is cut off.
 */
import type { Stream } from '@libp2p/interface';
import { sleep, type Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import { encodeAnswer, errorCode, type BlobAnswer } from '../blob-protocol/answers.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';
import type { Asker } from '../blob-protocol/get-slots.ts';
import { createRequestInbox, type InboxEntry } from '../blob-protocol/request-inbox.ts';
import type { LeavesRequest } from '../blob-protocol/requests.ts';
import type { TokenBucket } from '../blob-protocol/token-bucket.ts';
import { serveGet, type GetDeps } from './blob-get.ts';
import type { LeavesCache } from './blob-leaves.ts';
import type { StreamWriter } from './blob-writers.ts';

export interface AcceptorDeps extends GetDeps {
  readonly clock: Clock;
  readonly leaves: LeavesCache;
}

/** The peer at the other end. */
export interface AcceptorPeer {
  asker(priority: 0 | 1 | 2): Asker;
  /** Whether we share with it at all. */
  readonly mayRead: boolean;
  readonly haveTokens: TokenBucket;
  readonly leavesTokens: TokenBucket;
  readonly refusalTokens: TokenBucket;
  /** Told of content bytes sent, BUSY said, protocol broken. */
  onSent(bytes: number): void;
  onBusy(): void;
  onViolation(violation: ProtocolViolation): void;
}

export interface Acceptor {
  /** Looks at the limits on time. */
  check(now: number): void;
  close(reason: string): void;
}

const BUSY: BlobAnswer = { kind: 'busy', retryMs: limits.blob.busyRetry };

export function acceptStream(
  deps: AcceptorDeps,
  peer: AcceptorPeer,
  stream: Stream,
  options: {
    readonly writer: StreamWriter;
    /** The last time something happened that keeps this stream from being idle. */
    active(now: number | undefined): number;
    onClose(): void;
  },
): Acceptor {
  const { clock, budget } = deps;
  const { writer } = options;
  const inbox = createRequestInbox();
  const closed = new AbortController();
  let answering = false;
  let remoteDone = false;
  let closingSince: number | undefined;
  let partialSince: number | undefined;
  let held = 0;
  let progress = { taken: 0, at: clock.monotonic() };

  const cut = (reason: string): void => stream.abort(new Error(reason));
  const violated = (violation: ProtocolViolation): void => {
    peer.onViolation(violation);
    cut(violation.message);
  };
  /** What waits unread counts against the memory of all peers. */
  const account = (): void => {
    if (inbox.unread > held && !budget.take(inbox.unread - held)) cut('too many requests wait');
    else {
      if (inbox.unread < held) budget.give(held - inbox.unread);
      held = inbox.unread;
    }
  };
  const size = (digest: Digest): number | undefined => {
    const held = deps.shelf.size(digest);
    return peer.mayRead ? held : undefined;
  };

  const answer = async (entry: InboxEntry): Promise<BlobAnswer | undefined> => {
    const now = clock.monotonic();
    switch (entry.kind) {
      case 'have':
        if (!peer.haveTokens.take(entry.digests.length, now)) return BUSY;
        return { kind: 'have', load: deps.slots.load, sizes: entry.digests.map(size) };
      case 'get': {
        const held = size(entry.digest);
        if (held === undefined) return peer.haveTokens.take(1, now) ? { kind: 'not-found' } : BUSY;
        if (entry.offset > held)
          return { kind: 'error', code: errorCode.range, text: `the blob has ${held} bytes` };
        return serveGet(deps, entry, {
          asker: peer.asker(entry.priority),
          writer,
          signal: closed.signal,
          onSent: (bytes) => peer.onSent(bytes),
        });
      }
      case 'leaves':
        return answerLeaves(entry, now);
      case 'malformed':
        return { kind: 'error', code: errorCode.malformed, text: entry.message };
      default:
        return { kind: 'error', code: errorCode.unknownRequest, text: `unknown request ${entry.type}` };
    }
  };
  const answerLeaves = async (request: LeavesRequest, now: number): Promise<BlobAnswer> => {
    const held = size(request.digest);
    if (held === undefined) return peer.haveTokens.take(1, now) ? { kind: 'not-found' } : BUSY;
    if (request.from * limits.blob.leafChunk >= Math.max(1, held))
      return { kind: 'error', code: errorCode.range, text: `the blob has ${held} bytes` };
    const known = deps.leaves.known(request, held);
    // 32 bytes each, before any bulk and past the upload limit: they cost what questions do.
    if (known) return peer.haveTokens.take(Math.max(1, known.hashes.length), now) ? known : BUSY;
    if (!peer.leavesTokens.take(1, now)) return BUSY;
    const place = deps.slots.enter(peer.asker(2), () => undefined);
    if (!place) return BUSY;
    try {
      // It goes in at once or not at all: no queue for this.
      if (!place.running) return BUSY;
      await using reader = await deps.shelf.open(request.digest);
      if (!reader) return { kind: 'not-found' };
      return await deps.leaves.compute(request, reader, closed.signal);
    } catch {
      return { kind: 'error', code: errorCode.unreadable, text: 'the file could not be read' };
    } finally {
      place.leave();
    }
  };

  /** Four bytes ask for what we refuse, thousands of times a second: what is not answered waits, and that is bounded. */
  const restrain = async (): Promise<void> => {
    peer.refusalTokens.spend(1, clock.monotonic());
    const wait = peer.refusalTokens.wait(0, clock.monotonic());
    if (wait > 0) await sleep(clock, wait, closed.signal);
  };

  const answerAll = async (): Promise<void> => {
    if (answering) return;
    answering = true;
    try {
      for (let entry = inbox.take(); entry && !closed.signal.aborted; entry = inbox.take()) {
        account();
        partialSince = undefined;
        options.active(clock.monotonic());
        const last = await answer(entry);
        if (last?.kind === 'busy') peer.onBusy();
        if (last?.kind === 'busy' || last?.kind === 'error') await restrain();
        if (last) await writer.urgent(encodeAnswer(last));
        options.active(clock.monotonic());
      }
      account();
      partialSince = inbox.partial ? (partialSince ?? clock.monotonic()) : undefined;
      if (remoteDone && !closed.signal.aborted) await stream.close();
    } catch (error) {
      if (closed.signal.aborted) return;
      if (error instanceof ProtocolViolation) violated(error);
      else cut(String(error));
    } finally {
      answering = false;
    }
  };

  stream.addEventListener('message', ({ data }) => {
    try {
      for (const bytes of data instanceof Uint8Array ? [data] : data) inbox.push(bytes);
      account();
      void answerAll();
    } catch (error) {
      violated(error as ProtocolViolation);
    }
  });
  stream.addEventListener('remoteCloseWrite', () => {
    remoteDone = true;
    void answerAll();
  });
  stream.addEventListener('close', () => {
    closed.abort(new Error('the stream was closed'));
    budget.give(held);
    held = 0;
    options.onClose();
  });

  return {
    check(now) {
      if (!writer.blocked || writer.taken - progress.taken >= limits.blob.slowReaderBytes)
        progress = { taken: writer.taken, at: now };
      if (now - progress.at >= limits.blob.slowReaderTime) cut('the reader is too slow');
      else if (now - (partialSince ?? now) >= limits.blob.requestTime) cut('a request was not whole in time');
      else if (now - (closingSince ?? now) >= limits.blob.requestTime) cut('not closed in time');
      else if (
        closingSince === undefined &&
        !answering &&
        now - options.active(undefined) >= limits.blob.idle
      ) {
        closingSince = now;
        stream.close().catch(() => undefined);
      }
    },
    close: cut,
  };
}
