/**
 * Places the hosts and fixes every fault's groups as the runs will: roles without a place, overlaps and empty groups come to
 * light before the first hour is spent.
 */
import type { Complain } from './complain.ts';
import { fixFaultHosts } from './fault-hosts.ts';
import { placeHosts } from './hosts.ts';
import { upstreamHost, type ScenarioHost } from './scenario-host.ts';
import type { Fault, Placed, Scenario } from './scenario.ts';

/** `effort`: hosts that may be looked at, over all runs; the first run is tried in any case. */
export function tryPlacements(scenario: Scenario, complain: Complain, effort: number): void {
  const { faults, nodes, runs } = scenario;
  const affordable = Math.ceil(effort / (nodes.count * (faults.length + 1)));
  const failing = new Set<number | string>();
  for (let run = 0; run < Math.min(runs, affordable); run++) {
    const inRun = run === 0 ? '' : ` (in run ${run})`;
    const once = (key: number | string, ...[pointer, message, fix]: Parameters<Complain>): void => {
      if (failing.has(key)) return;
      failing.add(key);
      complain(pointer, message + inRun, fix);
    };
    const hosts = placeHosts(scenario, run);
    for (const [role, placed, pointer] of [
      ['publisher', scenario.workload.publishers, '/workload/publishers'],
      ['bootstrap', nodes.bootstraps, '/nodes/bootstraps'],
    ] as const) {
      const found = hosts.filter(({ roles }) => roles.includes(role)).length;
      if (found < placed.count)
        once(role, pointer, describeShortage(role, found, placed), 'give fewer, or place them elsewhere');
    }
    for (const [index, fault] of faults.entries())
      tryFault(fault, index, [...hosts, upstreamHost], { scenario, run, once });
  }
}

function describeShortage(role: string, found: number, { count, among }: Placed): string {
  return `${count} ${role}s among ${found} nodes that are ${among.join(' or ')}`;
}

function tryFault(
  fault: Fault,
  index: number,
  hosts: readonly ScenarioHost[],
  {
    scenario,
    run,
    once,
  }: { scenario: Scenario; run: number; once: (key: number, ...problem: Parameters<Complain>) => void },
): void {
  const fixed = fixFaultHosts(fault, hosts, scenario, run);
  if (!('message' in fixed)) return;
  const [group, last] = [fixed.group, fault.kind === 'partition' ? fault.groups.length : 0];
  const place = fault.kind !== 'partition' ? fault.kind : group < last ? `partition/${group}` : 'bridge';
  once(index, `/faults/${index}/${place}`, `"${fault.id}": ${fixed.message}`, fixed.fix);
}
