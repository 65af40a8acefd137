/** Plays a scenario's faults: who is concerned is fixed at the start, since all machines are there, up or down. */
import { cutsLinks } from '../scenario/scenario.ts';
import type { Fault, Scenario } from '../scenario/scenario.ts';
import type { FaultHosts } from '../scenario/fault-hosts.ts';
import { fixFaultHosts } from '../scenario/fault-hosts.ts';
import { upstreamHost, type ScenarioHost } from '../scenario/scenario-host.ts';
import { faultTimeline } from '../scenario/timeline.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Links } from '../scenario/links.ts';
import type { Liars } from './liars.ts';
import type { Tell } from './model-event.ts';
import type { NodeLives } from './node-lives.ts';
import type { UpstreamHost } from './upstream-host.ts';

export interface FaultDeps {
  readonly kernel: Kernel;
  readonly links: Links;
  readonly lives: NodeLives;
  readonly upstream: Pick<UpstreamHost, 'begin' | 'end'>;
  readonly liars: Liars;
  readonly index: { readonly serial: number };
  readonly tell: Tell;
}

/** @throws Error for groups that cannot be; reading the scenario has tried the first runs */
export function fixFaults(scenario: Scenario, hosts: readonly ScenarioHost[], run: number): FaultHosts[] {
  return scenario.faults.map((fault) => {
    const fixed = fixFaultHosts(fault, [...hosts, upstreamHost], scenario, run);
    if ('message' in fixed)
      throw new Error(`fault "${fault.id}" in run ${run}: ${fixed.message}; ${fixed.fix}`);
    return fixed;
  });
}

/** Call it at time 0. */
export function scheduleFaults(scenario: Scenario, faults: readonly FaultHosts[], deps: FaultDeps): void {
  const { kernel, links, tell } = deps;
  for (const fault of faults) links.begin(fault);
  const hostsOf = new Map(faults.map((fixed) => [fixed.fault.id, nodesOf(fixed)]));
  for (const { at, phase, edge, fault } of faultTimeline(scenario.faults)) {
    const nodes = hostsOf.get(fault.id) ?? [];
    kernel.schedule(scenario.warmup + at, phase, kernel.world, () => {
      if (edge === 'begin') {
        tell(kernel.now, { kind: 'fault-began', fault: fault.id, hosts: nodes });
        begin(fault, nodes, deps);
      } else {
        end(fault, nodes, deps);
        tell(kernel.now, { kind: 'fault-ended', fault: fault.id, hosts: nodes });
      }
    });
  }
}

function nodesOf({ fault, membership }: FaultHosts): number[] {
  const nodes = membership.members.flat().filter((id) => id >= 0);
  return cutsLinks(fault) ? nodes.sort((a, b) => a - b) : nodes;
}

function begin(fault: Fault, nodes: readonly number[], { lives, upstream, liars, index }: FaultDeps): void {
  switch (fault.kind) {
    case 'crash':
      for (const node of nodes) lives.crash(node, fault.id);
      break;
    case 'restart':
      for (const node of nodes) lives.leave(node, fault.id);
      break;
    case 'clock':
      for (const node of nodes) lives.skew(node, fault.id, Math.round(fault.skew / 1000));
      break;
    case 'byzantine':
      for (const node of nodes)
        liars.begin(node, fault.id, { behaviours: fault.behaviours, serial: index.serial });
      break;
    case 'upstream':
      upstream.begin(fault.id, fault.mode);
      break;
    default:
    // Links know their own times.
  }
}

function end(fault: Fault, nodes: readonly number[], { lives, upstream, liars }: FaultDeps): void {
  switch (fault.kind) {
    case 'crash':
    case 'restart':
      for (const node of nodes) lives.release(node, fault.id, { address: 'keep', state: fault.state });
      break;
    case 'clock':
      for (const node of nodes) lives.skew(node, fault.id, 0);
      break;
    case 'byzantine':
      for (const node of nodes) liars.end(node, fault.id);
      break;
    case 'upstream':
      upstream.end(fault.id);
      break;
    default:
  }
}
