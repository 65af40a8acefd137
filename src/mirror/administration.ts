/** What the owner of a node may do with it: over the admin socket while it runs, or by opening its folder. Never over the gateway. */
import type { ProjectName } from '../core/project-name.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { IndexHeadStatus } from './follow/index-head.ts';
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

/** What is believed of a project, as it is told. Times RFC 3339. */
export interface BeliefReport {
  readonly project: string;
  readonly belief: 'page' | 'absent' | 'unknown';
  /** Why it is unknown. */
  readonly reason: string | null;
  readonly serial: number | null;
  readonly digest: string | null;
  readonly length: number | null;
  /** k publishers stood for it then or later. */
  readonly since: string | null;
  readonly ageSeconds: number | null;
  readonly upstream: string | null;
  /** A publisher took the project back. */
  readonly retracted: boolean;
}

export interface IndexReport extends IndexHeadStatus {
  readonly serial: number | null;
  readonly observedAt: string | null;
}

/** What may be asked about the signed index. */
export interface IndexAdministration {
  status(): Promise<IndexReport>;
  show(project: ProjectName): Promise<BeliefReport>;
  /** The text of a proof file. @throws UnavailableError when too little is known */
  prove(project: ProjectName): Promise<string>;
}

export interface Administration {
  /** Undefined: this node follows no publishers. */
  readonly index?: IndexAdministration | undefined;
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
