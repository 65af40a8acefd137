/** When each node is switched on: one after the other, those that the others look for first. Microseconds. */
import type { Randomness } from '../../core/clock.ts';
import type { ScenarioHost } from '../scenario/scenario-host.ts';

export const STARTS_WITHIN = 20e6;

/** By node. */
export function startDelays(hosts: readonly ScenarioHost[], randomness: Randomness): Map<number, number> {
  return new Map(
    hosts.map(({ id, roles }) => [
      id,
      randomness.float() * STARTS_WITHIN * (roles.includes('bootstrap') ? 0.05 : 1),
    ]),
  );
}
