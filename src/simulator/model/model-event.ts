/** What the model tells who watches: truths of the world, which no node is asked for. Times are integer microseconds of the kernel. */
import type { Digest } from '../../core/digest.ts';
import type { FactName, Facts, SourceKind } from '../../core/facts.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { LinkMode } from '../scenario/links.ts';
import type { IndexChange } from './upstream-index.ts';

/** Whole request of a client, retries and all. */
export interface Attempt {
  readonly id: number;
  readonly node: number;
  readonly incarnation: number;
  readonly what: 'page' | 'file';
  readonly project: ProjectName;
  readonly digest: Digest | undefined;
}

export interface AttemptEnd {
  readonly outcome: 'verified' | 'wrong' | 'failed' | 'timeout' | 'absent';
  readonly bytes: number;
  readonly source: SourceKind | undefined;
  readonly reason: string | undefined;
}

export type ModelEvent =
  | { readonly kind: 'index-changed'; readonly change: IndexChange }
  | { readonly kind: 'node-up'; readonly node: number; readonly incarnation: number; readonly peerId: string }
  | { readonly kind: 'node-down'; readonly node: number; readonly how: 'crash' | 'leave' }
  /** It comes back without its disk. */
  | { readonly kind: 'node-wiped'; readonly node: number }
  | {
      readonly kind: 'fault-began' | 'fault-ended';
      readonly fault: string;
      readonly hosts: readonly number[];
    }
  /** A packet that the network's faults swallowed or refused. */
  | {
      readonly kind: 'packet-cut';
      readonly faults: readonly string[];
      readonly from: number;
      readonly to: number;
      readonly mode: LinkMode;
    }
  /** The upstream had a request and left it unanswered. */
  | { readonly kind: 'upstream-unanswered'; readonly faults: readonly string[] }
  /** Of a node in its present life. */
  | { readonly kind: 'fact'; readonly node: number; readonly name: FactName; readonly fact: Facts[FactName] }
  | {
      readonly kind: 'attempt-began';
      readonly attempt: Attempt;
      readonly onDisk: boolean;
      readonly upstreamOpen: boolean;
    }
  | { readonly kind: 'attempt-ended'; readonly attempt: Attempt; readonly end: AttemptEnd }
  /** A copy of a message about the index reached a node. `message` names it; `head`: of which log, undefined: none that can be read. */
  | {
      readonly kind: 'gossip-received';
      readonly node: number;
      readonly message: string;
      readonly head: { readonly origin: string; readonly size: number } | undefined;
    }
  /** A gateway gave a page, or said that there is none. */
  | {
      readonly kind: 'page-served';
      readonly node: number;
      readonly project: ProjectName;
      /** Undefined: 404. */
      readonly content: Digest | undefined;
      readonly serial: number | undefined;
      readonly ageSeconds: number;
    };

export interface Tell {
  (at: number, event: ModelEvent): void;
}
