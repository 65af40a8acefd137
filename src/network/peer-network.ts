/**
 * Other nodes, as the rest of the program sees them: the interface. Implementations: `libp2p/` (the only place that
 * knows libp2p), `memory-peer-network.ts` (tests) and `no-peer-network.ts`. Contract suite: `test/contracts/peer-network.ts`.
 */
import type { Digest } from '../core/digest.ts';
import type { IndexChannel } from './index-channel.ts';

export interface PeerCallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface AskOptions extends PeerCallOptions {
  /** The blob's size is known: a peer that had all that was asked of it lately may be yielded unasked, without a size. */
  readonly sizeKnown?: boolean | undefined;
  /** Nobody else gives the blob: who said no is asked again, unless that was just now. It may have fetched it meanwhile. */
  readonly inNeed?: boolean | undefined;
}

/** A peer that says it holds a blob, connected now. */
export interface Holder {
  readonly peerId: string;
  /** On a network of ours (mDNS or a private address of our own interfaces). */
  readonly lan: boolean;
  /** Has given verified bytes before: its first bytes may go to a client before the hash is known. */
  readonly proven: boolean;
  /** Size it claims for the blob; undefined when it was not asked. */
  readonly size: number | undefined;
  /** Its last known load, 0 idle to 255 full. */
  readonly load: number;
  /** Bytes a second it gave lately; undefined when unknown. */
  readonly goodput: number | undefined;
}

/** 0: a client waits. 1: fetched ahead. 2: repair. */
export type Priority = 0 | 1 | 2;

export interface RangeRequest extends PeerCallOptions {
  readonly digest: Digest;
  readonly offset: number;
  /** Bytes wanted; undefined: to the end. */
  readonly length?: number | undefined;
  readonly priority?: Priority;
}

export interface RangeAnswer extends AsyncDisposable {
  readonly blobSize: number;
  readonly offset: number;
  readonly length: number;
  /** Exactly `length` bytes in chunks, or throws PeerError. Leaving the loop cancels. Chunks are the reader's to keep. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** What was learned of a peer's bytes, once they could be judged. */
export type Verdict =
  | { readonly kind: 'verified'; readonly digest: Digest; readonly bytes: number; readonly ms: number }
  /** Bytes proven wrong, and proven to be this peer's: a ban. */
  | { readonly kind: 'wrong-bytes'; readonly digest: Digest }
  /** Lost a race by rate: three of them and it is asked last for an hour. */
  | { readonly kind: 'slow'; readonly digest: Digest }
  /** Said it held the blob and did not. */
  | { readonly kind: 'not-found'; readonly digest: Digest };

/** What we let peers read: complete, verified, public blobs. Answers come from memory; nothing is fetched, no use is marked. */
export interface Shelf {
  /** Size of a blob that may be shared; undefined for absent and private alike. */
  size(digest: Digest): number | undefined;
  open(digest: Digest): Promise<ShelfReader | undefined>;
  /**
   * All of a small blob at once into `target`, unchecked: whoever sends it hashes it. Its length; undefined when it has to be
   * opened.
   */
  readWhole?(digest: Digest, target: Uint8Array): number | undefined;
  /** Where the shared blobs' files lie, if they do: `<folder>/<first two digits>/<digest>`. Another thread may read them there. */
  readonly folder?: string | undefined;
  /** A blob that was read whole for a peer and did not fit its name: quarantine. */
  reportCorrupt(digest: Digest): void;
  /** All that may be announced, newest first. */
  shared(): Iterable<Digest>;
}

export interface ShelfReader extends AsyncDisposable {
  readonly size: number;
  /** An open file's descriptor, where there is one: another thread of this process may read it. */
  readonly descriptor?: number | undefined;
  read(target: Uint8Array, offset: number): Promise<number>;
}

export interface NetworkStatus {
  readonly state: 'connected' | 'alone' | 'off';
  readonly connections: number;
  readonly routingTable: number;
  readonly uploadedBytes: number;
  readonly providerRecords: number;
  readonly activeGets: number;
  readonly busyAnswers: number;
  readonly peers: readonly { peerId: string; address: string; receivedBytes: number; sentBytes: number }[];
  readonly banned: readonly {
    peerId: string;
    reason: string;
    digest: Digest | undefined;
    at: number;
    until: number;
  }[];
}

export interface PeerNetwork extends AsyncDisposable {
  readonly peerId: string;
  /** With `/p2p/<peerId>`. */
  multiaddrs(): readonly string[];
  /**
   * HAVE to connected peers: LAN first, then at most 8 others, each with its own deadline. Yields those that hold the
   * blob as they answer and ends when all asked have answered or missed their deadline. Remembers negatives.
   */
  ask(digest: Digest, options?: AskOptions): AsyncIterable<Holder>;
  /** Provider records: looks up, dials (bounded), asks, and yields holders as they are reached. `none` is remembered for 60 s. */
  find(digest: Digest, options?: PeerCallOptions): AsyncIterable<Holder>;
  /** A range of a blob from a connected peer. Throws PeerError. */
  range(peerId: string, request: RangeRequest): Promise<RangeAnswer>;
  /** Tells the network that a blob is (no longer) here to share. Cheap; announcing is bounded in rate and number. */
  advertise(digest: Digest): void;
  withdraw(digest: Digest): void;
  /** What the bytes of a peer turned out to be: ranking, blame, bans. */
  judge(peerId: string, verdict: Verdict): void;
  /** Resolves when a peer connects (a reason to ask again). */
  peerConnected(options?: PeerCallOptions): Promise<void>;
  /** As it is now; where the network runs in another thread, as it was within the last second. */
  status(): NetworkStatus;
  /** Only there: when it resolves `status()` is as of now, unless that took too long. Never throws. */
  refreshStatus?(): Promise<void>;
  /** What nodes say to each other about the signed index. */
  readonly index: IndexChannel;
}
