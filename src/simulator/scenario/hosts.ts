/** The hosts of a run: which region, profile and roles each node has. Drawn anew for each run, the same for every point. */
import { parseExpression } from './group-expression.ts';
import { matches } from './groups.ts';
import { createRandomness, deriveStream } from './streams.ts';
import { shuffle } from './samplers.ts';
import type { ScenarioHost } from './scenario-host.ts';
import type { Placed, Scenario } from './scenario.ts';

/** Whole numbers that sum to `count`, by largest remainder; of equal remainders the earlier. */
export function apportion(count: number, shares: readonly number[]): number[] {
  const exact = shares.map((share) => share * count);
  const whole = exact.map((value) => Math.floor(value + 1e-9));
  const left = count - whole.reduce((sum, value) => sum + value, 0);
  const order = exact
    .map((value, index) => ({ index, remainder: value - (whole[index] as number) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of order.slice(0, Math.max(0, left))) (whole[index] as number)++;
  return whole;
}

/** The nodes of run `run`, by number. Too few candidates for a role: the role has fewer, see `try-placements.ts`. */
export function placeHosts(scenario: Scenario, run: number): ScenarioHost[] {
  const { count, regions, profiles, bootstraps } = scenario.nodes;
  const stream = (purpose: string) =>
    createRandomness(deriveStream(scenario.seed, run, 'scenario', `place ${purpose}`));
  const deal = (shares: ReadonlyMap<string, number>, purpose: string): string[] => {
    const counts = apportion(count, [...shares.values()]);
    return shuffle(
      [...shares.keys()].flatMap((name, index) =>
        Array.from({ length: counts[index] as number }, () => name),
      ),
      stream(purpose),
    );
  };
  const region = deal(regions, 'regions');
  const profile = deal(profiles, 'profiles');
  const bare = region.map((name, id) => ({ id, region: name, profile: profile[id] as string, roles: [] }));
  const publishers = choose(
    bare,
    scenario.workload.publishers,
    shuffle([...bare.keys()], stream('publishers')),
  );
  const starts = shuffle([...bare.keys()], stream('bootstraps'));
  // A bootstrap that also publishes only where there is no other.
  starts.sort((a, b) => Number(publishers.has(a)) - Number(publishers.has(b)));
  const bootstrapIds = choose(bare, bootstraps, starts);
  return bare.map((host) => ({
    ...host,
    roles: [
      ...(publishers.has(host.id) ? (['publisher'] as const) : []),
      ...(bootstrapIds.has(host.id) ? (['bootstrap'] as const) : []),
    ],
  }));
}

function choose(hosts: readonly ScenarioHost[], placed: Placed, order: readonly number[]): Set<number> {
  const expressions = placed.among.map((text) => parseExpression(text));
  const fits = (host: ScenarioHost): boolean =>
    expressions.some((expression) => Array.isArray(expression) && matches(expression, host, () => false));
  const candidates = order.filter((id) => fits(hosts[id] as ScenarioHost));
  return new Set(candidates.slice(0, placed.count));
}
