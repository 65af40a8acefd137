/** What no single key can tell: that the parts of a scenario fit one another. */
import { closest } from 'fastest-levenshtein';
import { limits } from '../../core/limits.ts';
import { checkAsserts } from './check-asserts.ts';
import { checkFaults } from './check-faults.ts';
import { checkGroup } from './check-group.ts';
import type { Complain } from './complain.ts';
import { builtInProfiles } from './network-shape.ts';
import { duration } from './quantities.ts';
import { tryPlacements } from './try-placements.ts';
import type { HostProfile, Placed, Scenario } from './scenario.ts';

/** `effort`: nodes whose place in a fault's groups may be tried, over all runs. */
export function checkScenario(scenario: Scenario, report: Complain, effort: number): void {
  let sound = true;
  const complain: Complain = (...problem) => {
    sound = false;
    report(...problem);
  };
  const { nodes, network, hosts, workload, policy, churn } = scenario;
  checkShares('/nodes/regions', nodes.regions, complain);
  checkShares('/nodes/profiles', nodes.profiles, complain);
  for (const region of nodes.regions.keys()) {
    if (network.latency.regions.includes(region)) continue;
    const nearest = closest(region, network.latency.regions);
    complain(
      `/nodes/regions/${region}`,
      `the latency table has no region "${region}"`,
      `did you mean "${nearest}"? It has ${network.latency.regions.join(', ')}`,
    );
  }
  checkProfiles(hosts, nodes.profiles, complain);
  checkPlaced('/workload/publishers', 'publishers', workload.publishers, scenario, complain);
  checkPlaced('/nodes/bootstraps', 'bootstraps', nodes.bootstraps, scenario, complain);
  if (nodes.bootstraps.count === 0 && nodes.count > 1)
    complain('/nodes/bootstraps', 'nobody to start from', 'give at least one bootstrap');
  const { threshold } = policy;
  const { count } = workload.publishers;
  if (threshold > count || (threshold === 0 && count > 0)) {
    complain(
      '/policy/threshold',
      `${threshold} of ${count} publishers cannot agree`,
      count === 0 ? 'write 0, or add publishers' : `write 1 to ${count}`,
    );
  }
  if (scenario.replication > nodes.count) {
    complain(
      '/replication',
      `${scenario.replication} copies of a file need as many nodes; there are ${nodes.count}`,
      `write at most ${nodes.count}`,
    );
  }
  if (scenario.warmup + scenario.duration > limits.scenario.time * 1000) {
    complain(
      '/duration',
      `warm-up and duration are ${duration.format(scenario.warmup + scenario.duration)}`,
      `together at most ${duration.format(limits.scenario.time * 1000)}`,
    );
  }
  if (churn) checkGroup('/churn/among', churn.among, scenario, complain);
  if (workload.pip) checkGroup('/workload/pip/among', workload.pip.among, scenario, complain);
  checkFaults(scenario, complain);
  checkAsserts(scenario, complain);
  if (sound) tryPlacements(scenario, complain, effort);
}

function checkShares(pointer: string, shares: ReadonlyMap<string, number>, complain: Complain): void {
  const sum = [...shares.values()].reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) < 1e-6) return;
  complain(pointer, `the shares sum to ${Number(sum.toFixed(6))}`, 'make them sum to 1 (or 100%)');
}

function checkProfiles(
  hosts: ReadonlyMap<string, HostProfile>,
  used: ReadonlyMap<string, number>,
  complain: Complain,
): void {
  const known = [...new Set([...used.keys(), ...Object.keys(builtInProfiles)])];
  for (const name of hosts.keys()) {
    if (known.includes(name)) continue;
    complain(
      `/hosts/${name}`,
      `no node has the profile "${name}"`,
      `did you mean "${closest(name, known)}"? Or give it a share in nodes.profiles`,
    );
  }
}

function checkPlaced(
  pointer: string,
  what: string,
  placed: Placed,
  scenario: Scenario,
  complain: Complain,
): void {
  const { nodes } = scenario;
  checkGroup(`${pointer}/among`, placed.among, scenario, complain, { placing: true });
  if (placed.count > nodes.count) {
    complain(pointer, `${placed.count} ${what} among ${nodes.count} nodes`, `write at most ${nodes.count}`);
  }
}
