/** Facts of a real node, from its log (`--json --log-level debug`): all of them from its start, in the node's own wall time. */
import type { FactName, Facts } from '../../src/core/facts.ts';

export interface ToldFact {
  /** Wall clock, ms; all nodes share this machine's. */
  readonly time: number;
  readonly name: FactName;
  readonly fact: Facts[FactName];
}

/** Undefined: no line about a fact. */
export function readToldFact(line: string): ToldFact | undefined {
  if (!line.startsWith('{')) return undefined;
  const { time, fact, facts } = JSON.parse(line) as {
    time: number;
    fact?: FactName;
    facts?: Facts[FactName];
  };
  return fact === undefined || facts === undefined ? undefined : { time, name: fact, fact: facts };
}
