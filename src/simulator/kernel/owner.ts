/**
 * Whose work an event is: a node in one of its lives, or the world outside the nodes. Clock, randomness and CPU belong to
 * the owner, so that a node's skew and its random streams are its own, whoever else is running.
 */
import type { Randomness } from '../../core/clock.ts';

export interface Owner {
  /** -1: the world. */
  readonly node: number;
  /** Counts the node's lives, from 0. */
  readonly incarnation: number;
  readonly randomness: Randomness;
  /** How far its wall clock is from the truth, ms; may change. */
  skew: number;
  /** False once it crashed or was stopped: nothing of it happens any more. */
  alive: boolean;
}

/** Something of a life that has ended tried to act: its event should have been dropped. */
export class DeadOwnerError extends Error {
  override readonly name = 'DeadOwnerError';

  constructor(owner: Owner, what: string) {
    super(`${describeOwner(owner)} is dead and cannot ${what}`);
  }
}

export function describeOwner({ node, incarnation }: Owner): string {
  return node < 0 ? 'the world' : `node ${node} (life ${incarnation})`;
}
