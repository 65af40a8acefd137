/**
 * A voter's map as the rule of belief sees it. The rule asks without waiting and maps lie on disk: what it may ask of is
 * loaded before. A name that was not loaded is a bug, told by throwing: a guess would be a vote.
 */
import type { Candidate } from '../../core/belief/candidate.ts';
import type { Scope, VoterView } from '../../core/belief/voter-view.ts';
import type { MapAnswer } from '../../core/index-map/map-proof.ts';

export type ViewAnswer = Candidate | 'unknown';

export interface ViewFacts {
  readonly observedAt: number;
  readonly complete: boolean;
  readonly scope: Scope;
  readonly stale: ReadonlySet<string>;
}

export class LoadedView implements VoterView {
  readonly facts: ViewFacts;
  readonly answers: Map<string, ViewAnswer>;

  constructor(facts: ViewFacts, answers: Map<string, ViewAnswer>) {
    this.facts = facts;
    this.answers = answers;
  }

  get observedAt(): number {
    return this.facts.observedAt;
  }

  get complete(): boolean {
    return this.facts.complete;
  }

  get scope(): Scope {
    return this.facts.scope;
  }

  holds(name: string): ViewAnswer {
    const answer = this.answers.get(name);
    if (answer === undefined) throw new Error(`the map's entry of ${name} was not loaded`);
    return answer;
  }

  isStale(name: string): boolean {
    return this.facts.stale.has(name);
  }
}

export function viewAnswer(answer: MapAnswer): ViewAnswer {
  if (answer === 'absent' || answer === 'unknown') return answer;
  return { serial: answer.serial, digest: answer.digest, length: answer.length };
}
