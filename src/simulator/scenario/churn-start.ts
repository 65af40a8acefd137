/**
 * How a node's coming and going begins: somewhere in the stationary process, so that the start of a run is like its middle.
 * Starting everyone with a fresh session would make half of them leave in the first hour.
 */
import type { Randomness } from '../../core/clock.ts';
import { drawResidual, meanOf } from './samplers.ts';
import type { Churn } from './scenario.ts';

export interface ChurnStart {
  readonly up: boolean;
  /** Microseconds until that changes. */
  readonly left: number;
}

export function drawChurnStart({ session, downtime }: Churn, randomness: Randomness): ChurnStart {
  const share = meanOf(session) / (meanOf(session) + meanOf(downtime));
  const up = randomness.float() < share;
  return { up, left: Math.round(drawResidual(up ? session : downtime, randomness)) };
}
