/**
 * One run of a scenario, put together: the world of nodes, the upstream, publishers, clients, churn and faults. What happens
 * is told to `tell`; running the kernel is the caller's.
 */
import type { Metrics } from '@libp2p/interface';
import type { Owner } from '../kernel/owner.ts';
import type { NodeDisguise } from '../nodes/simulated-node.ts';
import type { SimulatedWorld } from '../nodes/simulated-world.ts';
import type { FaultHosts } from '../scenario/fault-hosts.ts';
import { drawnFrom, matches } from '../scenario/groups.ts';
import { parseExpression } from '../scenario/group-expression.ts';
import { placeHosts } from '../scenario/hosts.ts';
import type { Links } from '../scenario/links.ts';
import { shuffle } from '../scenario/samplers.ts';
import type { ScenarioHost } from '../scenario/scenario-host.ts';
import type { GroupText, Scenario } from '../scenario/scenario.ts';
import { createRandomness, deriveStream } from '../scenario/streams.ts';
import type { Randomness } from '../../core/clock.ts';
import { breakUpstream, fillIndex, growIndex } from './index-growth.ts';
import { Liars } from './liars.ts';
import { createLyingIndex } from './lying-index.ts';
import { createLyingReading, type PublisherLies } from './lying-reading.ts';
import { createLyingShelf } from './lying-shelf.ts';
import type { Tell } from './model-event.ts';
import { beginChurn } from './node-churn.ts';
import { NodeLives } from './node-lives.ts';
import { installPackages } from './pip-workload.ts';
import { makePublisherKeys } from './publisher-keys.ts';
import { fixFaults, scheduleFaults } from './run-faults.ts';
import { seedCopies } from './seed-copies.ts';
import { createSimulatedUpstream } from './simulated-upstream.ts';
import { STARTS_WITHIN, startDelays } from './start-delays.ts';
import { UpstreamHost } from './upstream-host.ts';
import { INDEX_URL, UpstreamIndex } from './upstream-index.ts';

export interface SimulationDeps {
  readonly world: SimulatedWorld;
  /** Those that the world was made with. */
  readonly links: Links;
  readonly tell: Tell;
  /** Who measures what a node's libp2p sends. */
  readonly metrics?: ((node: number) => Metrics) | undefined;
}

export interface Simulation {
  readonly hosts: readonly ScenarioHost[];
  readonly faults: readonly FaultHosts[];
  readonly index: UpstreamIndex;
  readonly upstream: UpstreamHost;
  readonly lives: NodeLives;
}

/** @param scenario with the run's seed */
export async function openSimulation(
  scenario: Scenario,
  run: number,
  { world, links, tell, metrics }: SimulationDeps,
): Promise<Simulation> {
  const { seed, workload } = scenario;
  const { kernel } = world;
  const stream = (purpose: string, owner: string | number = 'model'): Randomness =>
    createRandomness(deriveStream(seed, run, owner, purpose));
  const hosts = placeHosts(scenario, run);
  const wall = (): number => kernel.epoch + Math.floor(kernel.now / 1000);
  const index = new UpstreamIndex({ seed, run, now: wall });
  const mode = (from: number, to: number): ReturnType<Links['mode']> =>
    links.mode(from, to, kernel.now - scenario.warmup);
  const causes = (from: number, to: number): string[] => links.causes(from, to, kernel.now - scenario.warmup);
  const upstream = new UpstreamHost({
    kernel,
    links: { mode },
    onCut: (from, to) =>
      tell(kernel.now, { kind: 'packet-cut', faults: causes(from, to), from, to, mode: mode(from, to) }),
    onUnanswered: (faults) => tell(kernel.now, { kind: 'upstream-unanswered', faults }),
  });
  const growth = { kernel, index, stream };
  fillIndex(scenario, growth);
  index.onChange((change) => tell(kernel.now, { kind: 'index-changed', change }));

  const withRole = (role: ScenarioHost['roles'][number]): number[] =>
    hosts.filter(({ roles }) => roles.includes(role)).map(({ id }) => id);
  const { policy, signers } = makePublisherKeys(withRole('publisher'), {
    seed,
    run,
    threshold: scenario.policy.threshold,
  });
  const faults = fixFaults(scenario, hosts, run);
  const liars = new Liars();
  const mayLie = new Set(
    faults
      .filter(({ fault }) => fault.kind === 'byzantine')
      .flatMap(({ membership }) => membership.members.flat()),
  );
  const firstSerial = index.serial;
  const bootstrapLists: string[][] = [];
  for (const { id, region, profile } of hosts) {
    const { inbound, up, down } = scenario.hosts.get(profile) ?? {
      inbound: 'open',
      up: Infinity,
      down: Infinity,
    };
    const bootstrap: string[] = [];
    bootstrapLists.push(bootstrap);
    const signer = signers.get(id);
    await world.addMember({
      region,
      inbound,
      uplink: up,
      downlink: down,
      flags: {
        bootstrap,
        upstream: INDEX_URL,
        dht: inbound === 'open' ? 'server' : 'client',
        mode: policy.publishers.length > 0 ? 'quorum' : 'direct',
      },
      node: {
        policy,
        metrics: metrics?.(id),
        publish: signer && {
          signer,
          projects: undefined,
          interval: workload.snapshots.every / 1000,
        },
        disguise: mayLie.has(id)
          ? disguiseOf(liesOf(id, liars).does, signer !== undefined, () => kernel.current)
          : undefined,
        upstream: (clock) =>
          createSimulatedUpstream({
            upstream,
            index:
              mayLie.has(id) && signer !== undefined
                ? createLyingReading(index, { ...liesOf(id, liars), first: firstSerial })
                : index,
            clock,
            asker: {
              host: (world.members[id] as (typeof world.members)[number]).host,
              owner: kernel.current,
            },
          }),
        onFacts: (facts) =>
          void facts.onAny((name, fact) => tell(kernel.now, { kind: 'fact', node: id, name, fact })),
      },
    });
  }
  const starts = withRole('bootstrap');
  for (const [id, list] of bootstrapLists.entries()) {
    list.push(
      ...starts.flatMap((start) =>
        start === id ? [] : [(world.members[start] as { multiaddr: string }).multiaddr],
      ),
    );
  }
  seedCopies(
    index,
    world.members.map(({ disk }) => disk),
    { copies: scenario.replication, randomness: stream('copies'), now: wall() },
  );

  const lives = new NodeLives(world, tell);
  const among = (group: GroupText, purpose: string): number[] => select(hosts, group, stream(purpose));
  if (scenario.churn !== undefined) {
    const nodes = among(scenario.churn.among, 'who churns');
    beginChurn(scenario.churn, nodes, { kernel, lives, stream: (node) => stream('churn', node) });
  }
  scheduleFaults(scenario, faults, {
    kernel,
    links,
    lives,
    upstream,
    liars,
    index,
    tell,
  });
  for (const [id, delay] of startDelays(hosts, stream('starts'))) {
    kernel.schedule(delay, 'start', kernel.world, () => lives.start(id));
  }
  kernel.schedule(STARTS_WITHIN, 'start', kernel.world, () => {
    growIndex(scenario, growth);
    if (workload.pip !== undefined) {
      installPackages(
        workload.pip,
        { nodes: among(workload.pip.among, 'who installs'), projects: workload.upstream.projects },
        { world, upstream, tell, randomness: stream('pip') },
      );
    }
  });
  kernel.schedule(scenario.warmup, 'start', kernel.world, () => breakUpstream(scenario, growth, upstream));
  return { hosts, faults, index, upstream, lives };
}

function liesOf(node: number, liars: Liars): Pick<PublisherLies, 'does' | 'since'> {
  return { does: (behaviour) => liars.does(node, behaviour), since: () => liars.since(node) };
}

/** A publisher signs what is past, and gives that to whoever asks; others keep back what is new. */
function disguiseOf(does: PublisherLies['does'], publishes: boolean, owner: () => Owner): NodeDisguise {
  const relays: PublisherLies['does'] = (behaviour) =>
    does(behaviour) && !(publishes && (behaviour === 'stale' || behaviour === 'rolled-back'));
  return {
    shelf: (honest) => createLyingShelf(honest, () => does('wrong-bytes')),
    index: (honest, clock) => createLyingIndex(honest, { does: relays, clock, owner: owner() }),
  };
}

/** The nodes of a group outside any fault, ascending. */
function select(hosts: readonly ScenarioHost[], group: GroupText, randomness: Randomness): number[] {
  const drawn = drawnFrom(
    shuffle(
      hosts.map(({ id }) => id),
      randomness,
    ),
  );
  const expressions = group.map((text) => parseExpression(text));
  return hosts
    .filter((host) => expressions.some((terms) => Array.isArray(terms) && matches(terms, host, drawn)))
    .map(({ id }) => id);
}
