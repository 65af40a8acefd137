/**
 * What the gateway's thread and the network's thread say to each other. Plain data only; bytes are transferred, not copied.
 * A `call` is answered by any number of `item`s and one `end` or `failure`; `credit` says how many more bytes of a range
 * its reader can take, so that neither side buffers without bound.
 */
import type { Digest } from '../../core/digest.ts';
import type { FactName, Facts } from '../../core/facts.ts';
import type { PeerFailure } from '../../core/errors.ts';
import type { Holder, NetworkStatus, Priority, Verdict } from '../peer-network.ts';
import type { IndexCallData, IndexFromNetwork, IndexToNetwork } from './index-messages.ts';

export type ErrorData = {
  readonly message: string;
  /** What the caller gave was wrong. */
  readonly invalid?: boolean;
  readonly peer?: {
    readonly peerId: string;
    readonly failure: PeerFailure;
    readonly retryAfter: number | undefined;
  };
};

export type CallData =
  | { readonly method: 'ask'; readonly digest: Digest; readonly sizeKnown: boolean; readonly inNeed: boolean }
  | { readonly method: 'find'; readonly digest: Digest }
  | {
      readonly method: 'range';
      readonly peerId: string;
      readonly digest: Digest;
      readonly offset: number;
      readonly length: number | undefined;
      readonly priority: Priority;
      /** Bytes that may come before any `credit`. */
      readonly credit: number;
    }
  | IndexCallData
  | { readonly method: 'peerConnected' }
  /** To send the `state` now. */
  | { readonly method: 'state' }
  | { readonly method: 'close' };

/** First of a range's items; the rest are its bytes. */
export interface RangeHead {
  readonly blobSize: number;
  readonly offset: number;
  readonly length: number;
}

export type ToNetwork =
  | IndexToNetwork
  /** The shelf is told: the network may open its folder and listen. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'call'; readonly id: number; readonly call: CallData }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'judge'; readonly peerId: string; readonly verdict: Verdict }
  | { readonly kind: 'advertise' | 'withdraw'; readonly digest: Digest }
  /** What may be shared, as it changes; before `begin` everything that is there. */
  | {
      readonly kind: 'shelf';
      readonly added: readonly (readonly [Digest, number])[];
      readonly removed: readonly Digest[];
    }
  /** Where the network may read small blobs itself. */
  | { readonly kind: 'shelf-folder'; readonly folder: string }
  | {
      readonly kind: 'shelf-opened';
      readonly id: number;
      readonly size: number;
      readonly descriptor: number | undefined;
    }
  | { readonly kind: 'shelf-absent'; readonly id: number }
  | { readonly kind: 'shelf-bytes'; readonly id: number; readonly read: number; readonly bytes: Uint8Array }
  | { readonly kind: 'shelf-failed'; readonly id: number; readonly read: number; readonly message: string };

export type FromNetwork =
  | IndexFromNetwork
  | { readonly kind: 'ready'; readonly peerId: string }
  | {
      readonly kind: 'refused';
      readonly message: string;
      readonly fix: string;
      readonly fault: 'usage' | 'environment';
    }
  | { readonly kind: 'state'; readonly multiaddrs: readonly string[]; readonly status: NetworkStatus }
  | { readonly kind: 'item'; readonly id: number; readonly item: Holder | RangeHead | Uint8Array | number }
  | { readonly kind: 'end'; readonly id: number }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorData }
  | { readonly kind: 'shelf-open'; readonly id: number; readonly digest: Digest }
  | {
      readonly kind: 'shelf-read';
      readonly id: number;
      readonly read: number;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'shelf-close'; readonly id: number }
  | { readonly kind: 'shelf-corrupt'; readonly digest: Digest }
  | { readonly kind: 'fact'; readonly name: FactName; readonly fact: Facts[FactName] };

/** The end of a MessagePort or Worker that both sides use. What is posted to a thread that has ended is lost. */
export interface Port<Out, In> {
  post(message: Out, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: In) => void): void;
}

/** The network's thread, as the gateway's thread holds it. */
export interface NetworkThread extends Port<ToNetwork, FromNetwork> {
  /** When it is gone, so that nothing in it reads a descriptor of ours any more; with why, when nobody terminated it. */
  readonly ended: Promise<Error | undefined>;
  terminate(): Promise<void>;
}
