/** What the forging publisher's process can be told to do. Publishers, peers and pages are named by who tells. */
import type { Statement } from './publisher.ts';

export interface FileOfPage {
  readonly filename: string;
  readonly sha256: string;
  readonly size: number;
  /** Below the file host. */
  readonly path: string;
}

type Nothing = Readonly<Record<string, never>>;

export interface Commands {
  /** Its log's origin is its name, its key follows from it. */
  publisher(args: { name: string }): Promise<{ verifier: string }>;
  /** Another history under one key, from `size` records on. */
  fork(args: { publisher: string; as: string; size: number }): Promise<Nothing>;
  /** A canonical page. */
  page(args: {
    page: string;
    project: string;
    serial: number;
    files: readonly FileOfPage[];
  }): Promise<{ digest: string }>;
  /** The next record. */
  sign(
    args: Omit<Statement, 'set'> & { publisher: string; set?: readonly string[] },
  ): Promise<{ size: number }>;
  /** A peer that answers for these publishers. */
  peer(args: {
    name: string;
    publishers: readonly string[];
    dial?: string;
  }): Promise<{ peerId: string; address: string }>;
  dial(args: { peer: string; address: string }): Promise<Nothing>;
  /** Blobs that it gives (files in base64), pages that it gives wrong, and an old head that it answers "heads" with. */
  behave(args: {
    peer: string;
    publishers?: readonly string[];
    pages?: readonly string[];
    files?: readonly string[];
    garble?: readonly string[];
    heads?: { publisher: string; size: number };
  }): Promise<Nothing>;
  /** A head by gossip; `flip`: with this character of its signature altered. */
  gossip(args: { peer: string; publisher: string; size?: number; flip?: number }): Promise<Nothing>;
  seen(args: { peer: string }): Promise<{ asked: string[]; given: string[]; connections: number }>;
  leave(args: { peer: string }): Promise<Nothing>;
}
