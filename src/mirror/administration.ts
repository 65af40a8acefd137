/** What the owner of a node may do with it: over the admin socket while it runs, or by opening its folder. Never over the gateway. */
import type { Digest } from '../core/digest.ts';
import type { Retraction, RetractionSubject } from '../core/log/retraction.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { IndexHeadStatus, RetractedBy } from './follow/index-head.ts';
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
  /** A publisher took the project back: which, and why. */
  readonly retracted: boolean;
  readonly retraction: RetractedBy | null;
}

export interface IndexReport extends IndexHeadStatus {
  /** Why the policy's file is not what this node lives by; null where it is. */
  readonly policyProblem: string | null;
  readonly serial: number | null;
  readonly observedAt: string | null;
}

/** The policy after its file was looked at. */
export interface PolicyReport {
  /** The file. */
  readonly source: string;
  readonly changed: boolean;
  /** Why what the file says was not taken; null where it was. */
  readonly problem: string | null;
  /** Of the policy that counts. */
  readonly threshold: number;
  readonly publishers: number;
}

/** Times RFC 3339. */
export interface ClockReport {
  /** The highest time until now, and the one that counts from now on. */
  readonly from: string;
  readonly to: string;
}

/** What may be asked about the signed index. */
export interface IndexAdministration {
  status(): Promise<IndexReport>;
  show(project: ProjectName): Promise<BeliefReport>;
  /** The text of a proof file. @throws UnavailableError when too little is known */
  prove(project: ProjectName): Promise<string>;
  /** The proof of misconduct of this digest, base64. @throws UnavailableError when it is not here */
  misconductProof(digest: Digest): Promise<string>;
  /** The clock was wrong and is right now. @throws UnavailableError while publishers say that it is behind */
  resetClock(): Promise<ClockReport>;
}

/** What a publisher has taken back. */
export interface RetractionReport {
  readonly retractions: readonly Retraction[];
  /** How many are heeded at most. */
  readonly limit: number;
  /** The record that says so; null: it is not signed yet. */
  readonly seq: number | null;
}

export interface AcceptedLoss {
  readonly before: number;
  readonly lost: number;
}

/** What its operator tells a publisher that runs. */
export interface PublisherAdministration {
  retractions(): Promise<RetractionReport>;
  /** @throws InvalidContentError for one that followers would not heed */
  retract(subject: RetractionSubject, reason: string): Promise<RetractionReport>;
  /** @throws InvalidContentError when it is not retracted */
  unretract(subject: RetractionSubject): Promise<RetractionReport>;
  /** The list that was refused because names were lost is believed, this once. @throws InvalidContentError when none was */
  acceptLoss(): Promise<AcceptedLoss>;
}

export interface Administration {
  /** Undefined: this node follows no publishers. */
  readonly index?: IndexAdministration | undefined;
  /** Undefined: this node publishes nothing. */
  readonly publisher?: PublisherAdministration | undefined;
  /** Reads the policy's file at once. Undefined: this node lives by none. */
  readonly readPolicy?: (() => Promise<PolicyReport>) | undefined;
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
