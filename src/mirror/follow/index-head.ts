/** What a node believes of the whole index, as the gateway's side asks for it. Implementation: `follower.ts`. */
import type { Digest } from '../../core/digest.ts';
import type { Candidate } from '../../core/belief/candidate.ts';
import type { NameEvidence } from '../../core/log/name-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';

export type IndexBelief =
  | {
      readonly kind: 'page';
      readonly serial: number;
      /** SHA-256 of the canonical page, and its bytes. */
      readonly digest: Digest;
      readonly length: number;
      /** T, ms: the age is now() - since. */
      readonly since: number;
      readonly fileOrigin: string;
      readonly format: 'json' | 'html';
      readonly upstream: string;
      /** Of the record; canonical pages do not say it. */
      readonly apiVersion: string | null;
    }
  | {
      readonly kind: 'absent';
      readonly since: number;
      /** The serial below which no page is believed. */
      readonly floor: number;
    }
  /** 503, never 404; `reason` for people. */
  | { readonly kind: 'unknown'; readonly reason: string };

export interface IndexHead {
  /** Of a name that is unknown peers are asked by its bin's number, never by its name. */
  believe(project: ProjectName, signal?: AbortSignal): Promise<IndexBelief>;
  /** The highest now seen, ms: ages are now() - since and never younger than the truth. */
  now(): number;
  /** The k-th highest serial of the voters' newest records. */
  serial(): number | undefined;
  /** The k-th newest `observedAt`. */
  observedAt(): number | undefined;
  /** All that are believed present, in the order of bins. One state of the index a bin, not of the whole. */
  names(): AsyncIterable<{ readonly name: ProjectName; readonly serial: number }>;
  /** Changes whenever the head does. */
  version(): string;
  /** A project, or a file by its SHA-256, that must not be served. */
  retracted(subject: Digest | ProjectName): boolean;
  /** Who retracts it, and why. */
  retraction?(subject: Digest | ProjectName): RetractedBy | undefined;
  /** This node's own reading of the upstream, as the vote of its slot. Resolves when it is written down. */
  ownReading(project: ProjectName, reading: Candidate, observedAt: number): Promise<void>;
  status(): IndexHeadStatus;
  /** What canonical pages of this index are made with, as the voters' records say; undefined while none is known. */
  source?(): IndexSourceFacts | undefined;
  /** Of the policy and upstream, also across restarts: what was believed under another one is nothing here. */
  policyId?(): string;
  /** How often the policy became another one: what was believed under the one before is nothing now. */
  policyChanges?(): number;
  /** How often a person set {@link now} back: it may be less than before. */
  clockResets?(): number;
  /** From here on now() is what this machine's clock shows. @throws UnavailableError while k voters say that it is behind */
  resetClock?(): Promise<ClockReset>;
  /** A proof of misconduct that is here, by its digest. */
  misconductProof?(digest: Digest): Uint8Array | undefined;
  /** What each voter's newest signed map that is here says of the name, provable without this node. */
  prove?(project: ProjectName): Promise<readonly NameEvidence[]>;
}

export interface RetractedBy {
  /** As the policy calls it. */
  readonly publisher: string;
  readonly reason: string;
}

/** Ms: the highest now until then, and since. */
export interface ClockReset {
  readonly from: number;
  readonly to: number;
}

export interface IndexSourceFacts {
  readonly upstream: string;
  readonly fileOrigin: string;
  readonly format: 'json' | 'html';
}

export interface VoterStatus {
  readonly name: string;
  readonly origin: string;
  /** Records in the log, and the newest whose map is here. */
  readonly size: number;
  readonly seq: number | undefined;
  readonly names: number;
  readonly complete: boolean;
  readonly serial: number | undefined;
  readonly observedAt: number | undefined;
  readonly signedAt: number | undefined;
  /** Misconduct was proven: it counts no more. */
  readonly excluded: boolean;
  /** Why its newest record is no vote at all, for people; undefined where it is one. */
  readonly noVote: string | undefined;
  /** The key that it named to take over. */
  readonly successor: string | undefined;
}

export interface IndexHeadStatus {
  readonly k: number;
  /** Voters that count no more: misconduct is proven. */
  readonly excluded: number;
  readonly voters: readonly VoterStatus[];
  /** Until k slots have a map (with history or by bundles) little is believed. */
  readonly ready: boolean;
  /** Age in ms of what the k newest voters saw. */
  readonly age: number | undefined;
  readonly clock: 'plausible' | 'behind' | 'set-back';
  /** For people, newest last. */
  readonly alarms: readonly string[];
  readonly misconduct: readonly {
    readonly origin: string;
    readonly kind: string;
    readonly digest: Digest;
  }[];
  /** Refused messages and records by error code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly kept: {
    readonly active: number;
    readonly resting: number;
    readonly votes: number;
    readonly bases: number;
  };
}
