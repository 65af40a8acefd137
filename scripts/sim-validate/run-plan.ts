/**
 * All that happens in a run of a scenario besides what nodes decide: who they are, when each is switched on, how the upstream
 * grows, who installs what, which links are cut. From the streams of the simulator, so that a run on real processes has the
 * same, to the microsecond. Times are microseconds since the first begin.
 */
import { generateKeyPairFromSeed, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { generateKeyPair } from '../../src/core/log/signer-key.ts';
import type { Randomness } from '../../src/core/clock.ts';
import { fillIndex, growIndex } from '../../src/simulator/model/index-growth.ts';
import { planInstallations } from '../../src/simulator/model/pip-workload.ts';
import { fixFaults } from '../../src/simulator/model/run-faults.ts';
import type { Timetable } from '../../src/simulator/model/schedule.ts';
import { STARTS_WITHIN, startDelays } from '../../src/simulator/model/start-delays.ts';
import { type IndexFile, UpstreamIndex } from '../../src/simulator/model/upstream-index.ts';
import { placeHosts } from '../../src/simulator/scenario/hosts.ts';
import { Links } from '../../src/simulator/scenario/links.ts';
import { UPSTREAM, upstreamHost } from '../../src/simulator/scenario/scenario-host.ts';
import { cutsLinks, type Scenario } from '../../src/simulator/scenario/scenario.ts';
import { createRandomness, deriveStream } from '../../src/simulator/scenario/streams.ts';

export interface PlannedNode {
  readonly id: number;
  readonly address: string;
  readonly peerId: string;
  /** libp2p's private key protobuf. */
  readonly identity: Uint8Array;
  readonly startsAt: number;
  readonly isBootstrap: boolean;
  /** Of a publisher. */
  readonly signer: { readonly signerKey: string; readonly verifierKey: string } | undefined;
}

export interface PlannedFile {
  readonly at: number;
  readonly filename: string;
  readonly size: number;
}

export interface RunPlan {
  readonly seed: number;
  readonly run: number;
  readonly nodes: readonly PlannedNode[];
  /** The first ones at 0. */
  readonly files: readonly PlannedFile[];
  readonly installs: readonly { readonly at: number; readonly node: number; readonly project: string }[];
  /** What is down from then on: packets from the first to the second, by node or UPSTREAM. */
  readonly cuts: readonly { readonly at: number; readonly pairs: readonly (readonly [number, number])[] }[];
  readonly links: Links;
  /** When the links that a fault cut are up again, in order. */
  readonly heals: readonly number[];
  readonly warmup: number;
  readonly end: number;
}

/** @throws Error for what a scenario on real processes cannot have */
export async function planRun(scenario: Scenario, run: number): Promise<RunPlan> {
  refuseUnreal(scenario);
  const { seed, warmup, workload } = scenario;
  const stream = (purpose: string, owner: string | number = 'model'): Randomness =>
    createRandomness(deriveStream(seed, run, owner, purpose));
  const hosts = placeHosts(scenario, run);
  const starts = startDelays(hosts, stream('starts'));
  const end = warmup + scenario.duration;

  const timetable = new PlanTimetable();
  const index = new UpstreamIndex({ seed, run, now: () => 0 });
  const files: PlannedFile[] = [];
  index.onChange((change) => {
    if (change.kind === 'file-added') files.push({ at: timetable.now, ...nameAndSize(change.file) });
  });
  const installs: RunPlan['installs'][number][] = [];
  const growth = { kernel: timetable, index, stream };
  fillIndex(scenario, growth);
  timetable.schedule(STARTS_WITHIN, 'start', timetable.world, () => {
    growIndex(scenario, growth);
    const { pip } = workload;
    if (pip === undefined) return;
    const who = { nodes: hosts.map(({ id }) => id), projects: workload.upstream.projects };
    planInstallations(pip, who, timetable, stream('pip'), (node, project) =>
      installs.push({ at: timetable.now, node, project }),
    );
  });
  timetable.run(end);

  const links = new Links([...hosts, upstreamHost]);
  for (const fault of fixFaults(scenario, hosts, run)) links.begin(fault);
  const healed = scenario.faults.map(({ id }) => links.healOf(id) ?? Infinity);
  return {
    seed,
    run,
    nodes: await Promise.all(
      hosts.map(async ({ id, roles }) => {
        const key = await generateKeyPairFromSeed('Ed25519', deriveStream(seed, run, id, 'identity'));
        const signer = generateKeyPair(`node-${id}.simulated/fondue`, stream('publisher key', id));
        return {
          id,
          address: `20.${id >> 8}.${id & 255}.7`,
          peerId: peerIdFromPrivateKey(key).toString(),
          identity: privateKeyToProtobuf(key),
          startsAt: starts.get(id) as number,
          isBootstrap: roles.includes('bootstrap'),
          signer: roles.includes('publisher') ? signer : undefined,
        };
      }),
    ),
    files,
    installs,
    cuts: planCuts(scenario, [...hosts.map(({ id }) => id), UPSTREAM], links),
    links,
    heals: [...new Set(healed)].sort((a, b) => a - b).map((at) => warmup + at),
    warmup,
    end,
  };
}

function nameAndSize({ filename, size }: IndexFile): Pick<PlannedFile, 'filename' | 'size'> {
  return { filename, size };
}

function planCuts(scenario: Scenario, hosts: readonly number[], links: Links): RunPlan['cuts'] {
  const cuts: RunPlan['cuts'][number][] = [];
  for (let at = links.nextChange(-1); at !== undefined && at < scenario.duration; at = links.nextChange(at)) {
    const now = at;
    const pairs = hosts.flatMap((from) =>
      hosts
        .filter((to) => from !== to && links.mode(from, to, now) !== 'up')
        .map((to): [number, number] => [from, to]),
    );
    cuts.push({ at: scenario.warmup + at, pairs });
  }
  return cuts;
}

function refuseUnreal(scenario: Scenario): void {
  const { workload, network, faults, churn, replication, nodes, hosts } = scenario;
  const complaints = [
    ...(network.loss > 0 ? ['loss: this comparison has a LAN only'] : []),
    ...(churn === undefined ? [] : ['churn']),
    ...(replication > 0 ? ['replication: real nodes begin with nothing'] : []),
    ...(workload.publishers.count === 0 ? ['a network without publishers'] : []),
    ...((workload.removals ?? workload.quarantine ?? workload.upstream.outages)
      ? ['removals, quarantine, outages']
      : []),
    ...(workload.pip !== undefined && workload.pip.among.join() !== 'all'
      ? ['installations on some nodes']
      : []),
    ...(nodes.count > 200 ? ['more than 200 nodes'] : []),
    ...([...hosts].some(([name, { inbound }]) => nodes.profiles.has(name) && inbound !== 'open')
      ? ['hosts that cannot be dialled']
      : []),
    ...faults.flatMap((fault) =>
      cutsLinks(fault) && !(fault.kind !== 'one-way' && fault.mode.kind === 'reject')
        ? []
        : [`fault ${fault.id}`],
    ),
    ...(faults.length === 0 ? ['no fault'] : []),
  ];
  if (complaints.length > 0)
    throw new Error(`${scenario.name} cannot run on real processes: ${complaints.join('; ')}`);
}

/** The kernel's order of events, by time and then as they came, without a kernel. */
class PlanTimetable implements Timetable {
  readonly world: Timetable['world'] = {
    node: -1,
    incarnation: 0,
    randomness: createRandomness(deriveStream(0, 0, 'world', 'nobody')),
    skew: 0,
    alive: true,
  };
  now = 0;
  readonly #due: { readonly at: number; readonly run: () => void }[] = [];

  schedule(delay: number, _phase: string, _owner: unknown, run: () => void): never {
    // As the kernel rounds.
    this.#due.push({ at: this.now + Math.max(0, Math.ceil(delay)), run });
    return undefined as never;
  }

  run(until: number): void {
    for (;;) {
      const first = this.#due.reduce<number>(
        (best, { at }, index) => (best < 0 || at < (this.#due[best]?.at ?? 0) ? index : best),
        -1,
      );
      const [next] = first < 0 ? [] : this.#due.splice(first, 1);
      if (next === undefined || next.at > until) return;
      this.now = next.at;
      next.run();
    }
  }
}
