/** What the two threads say to each other for the index channel, beside the calls: who takes part, and questions both ways. */
import type { IndexVerdict } from '../index-channel.ts';

export type IndexCallData =
  | {
      readonly method: 'index-request';
      readonly peerId: string;
      readonly request: Uint8Array;
      readonly limit: number | undefined;
      /** Bytes that may come before any `credit`. */
      readonly credit: number;
    }
  | { readonly method: 'index-publish'; readonly message: Uint8Array }
  | { readonly method: 'index-put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly method: 'index-get'; readonly key: Uint8Array };

export type IndexToNetwork =
  /** From now on somebody answers peers' requests, and judges messages. */
  | { readonly kind: 'index-serve' }
  | { readonly kind: 'index-listen' }
  | { readonly kind: 'index-verdict'; readonly id: number; readonly verdict: IndexVerdict }
  | { readonly kind: 'index-answer'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'index-answered'; readonly id: number; readonly failed: string | undefined };

export type IndexFromNetwork =
  /** Those that take part, and who of them came just now. */
  | { readonly kind: 'index-peers'; readonly peers: readonly string[]; readonly came: string | undefined }
  | {
      readonly kind: 'index-message';
      readonly id: number;
      readonly peerId: string;
      readonly message: Uint8Array;
    }
  | {
      readonly kind: 'index-asked';
      readonly id: number;
      readonly peerId: string;
      readonly request: Uint8Array;
      readonly credit: number;
    }
  | { readonly kind: 'index-credit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'index-cancelled'; readonly id: number };

/** Bytes of one answer on their way between the threads at most, but for one message. */
export const INDEX_CREDIT = 2 * 1024 * 1024;
