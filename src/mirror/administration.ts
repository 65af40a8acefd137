/** What the owner of a node may do with it: over the admin socket while it runs, or by opening its folder. Never over the gateway. */
import type { WantedFile } from '../core/wanted-file.ts';
import type { CallOptions } from './mirror.ts';
import type { NodeStatus } from './status.ts';

/** How far a long action is; `done` and `total` count `unit`s. `text` says what was just finished or failed. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly unit: 'files' | 'blobs' | 'projects';
  readonly text: string;
  readonly ok: boolean;
}

export interface ActionOptions extends CallOptions {
  readonly onProgress?: (progress: Progress) => void;
}

export interface Outcome {
  /** What was done, fetched, freed or found good. */
  readonly files: number;
  readonly bytes: number;
  /** One line for each thing that was not done, naming it and the reason. */
  readonly failures: readonly string[];
}

export interface VerifyOutcomeReport extends Outcome {
  readonly corrupt: number;
  readonly repaired: number;
}

export interface Administration {
  status(): Promise<NodeStatus>;
  /** Fetches files ahead. */
  warm(wanted: readonly WantedFile[], options?: ActionOptions): Promise<Outcome>;
  /** Keeps files whatever the quota says; they are fetched when the node can. */
  pin(wanted: readonly WantedFile[], options?: ActionOptions): Promise<Outcome>;
  unpin(wanted: readonly WantedFile[], options?: ActionOptions): Promise<Outcome>;
  /** Evicts to the quota, or to `bytes`. */
  collect(bytes: number | undefined): Promise<Outcome>;
  /** Hashes every blob again; bad and missing ones are fetched anew from peers or the upstream. */
  verify(options?: ActionOptions): Promise<VerifyOutcomeReport>;
}
