/**
 * The process of one run: `run-child FOLDER`. Reads `job.json` there, writes events beside it as they come and the outcome when
 * the run is over; nothing is written while virtual time passes. `open-world.ts` comes before all that reads clocks or randomness.
 */
import { appendFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openWorld } from '../open-world.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Finding } from '../results/run-result.ts';
import { placeHosts } from '../scenario/hosts.ts';
import { Links } from '../scenario/links.ts';
import { readScenario } from '../scenario/read-scenario.ts';
import { cutsLinks } from '../scenario/scenario.ts';
import { upstreamHost } from '../scenario/scenario-host.ts';
import type { Violation } from './promises.ts';
import { eventLine } from './event-line.ts';
import {
  eventsFile,
  jobFile,
  outcomeFile,
  type RunJob,
  type RunMessage,
  type RunOutcome,
} from './run-job.ts';

/** Virtual time between two lines of progress; microseconds. */
const SLICE = 1e6;

const say = (message: RunMessage): void => void writeSync(1, `${JSON.stringify(message)}\n`);
const [folder = '.'] = process.argv.slice(2);
const job = JSON.parse(readFileSync(join(folder, jobFile), 'utf8')) as RunJob;
Error.stackTraceLimit = job.replay ? 50 : 0;
const scenario = { ...readScenario(job.scenario, 'scenario.yaml').scenario, seed: job.seed };
const { warmup, network } = scenario;
const links = new Links([...placeHosts(scenario, job.run), upstreamHost]);
let watch: (at: number, event: ModelEvent) => void = () => undefined;
const tell = (at: number, event: ModelEvent): void => watch(at, event);
let dialled: () => void = () => undefined;

const { latency, jitter, loss } = network;
const world = await openWorld({
  seed: job.seed,
  run: job.run,
  cpu: scenario.cpu,
  cores: scenario.cores,
  security: scenario.security,
  latency: { regions: latency.regions, oneWay: latency.oneWay.map((row) => row.map((us) => us / 1000)) },
  jitter,
  loss,
  links: { mode: (from, to, now) => links.mode(from, to, now - warmup) },
  onFault(from, to, mode) {
    const at = world.kernel.now;
    tell(at, { kind: 'packet-cut', faults: links.causes(from, to, at - warmup), from, to, mode });
  },
  onDial: () => dialled(),
});
const { kernel, members, trace } = world;
const { openSimulation } = await import('../model/simulation.ts');
const { RunMeasures } = await import('./measure-run.ts');
const { Topology } = await import('./topology.ts');
const { Promises } = await import('./promises.ts');
const { Reconvergence } = await import('./reconvergence.ts');
const { FileHolders } = await import('./file-holders.ts');
const { createStreamMeter } = await import('../nodes/stream-meter.ts');
const { gossipReceived } = await import('../model/gossip-head.ts');
const time = (): number => kernel.now - warmup;
const { index, hosts, faults } = await openSimulation(scenario, job.run, {
  world,
  links,
  tell,
  metrics: (node) =>
    createStreamMeter({
      wire: (bytes) => measures.traffic.wire(time(), bytes),
      sent: (protocol, bytes) => measures.traffic.sent(time(), protocol, bytes),
      gossip: (data) => tell(kernel.now, gossipReceived(node, data)),
    }),
});
const cuts = faults.filter(({ fault }) => cutsLinks(fault));
const isByzantine = (id: string): boolean =>
  scenario.faults.some((fault) => fault.id === id && fault.kind === 'byzantine');
const inboundOf = (node: number): string | undefined =>
  scenario.hosts.get(hosts[node]?.profile ?? '')?.inbound;
const topology = new Topology({
  publishers: hosts.filter(({ roles }) => roles.includes('publisher')).map(({ id }) => id),
  enough: scenario.policy.threshold,
  cuts,
  links,
  warmup,
});
const promises = new Promises(index, {
  disks: (node) => (members[node] as (typeof members)[number]).disk.blobs.blobs,
  // A look, a page that is read again, and the record.
  seenAfter: 2 * scenario.workload.snapshots.every + 10e6,
  // Without publishers nobody is told before its own page is old.
  connectedSince: (node) => (scenario.policy.threshold === 0 ? undefined : topology.connectedSince(node)),
  isByzantine,
});
const measures = new RunMeasures(scenario, {
  links,
  promises,
  topology,
  cuts,
  reconvergence: new Reconvergence({
    threshold: scenario.policy.threshold,
    serialAsOf: (project, serial) => index.pageAsOf(project, serial)?.serial,
    isByzantine,
  }),
  holders: new FileHolders({
    files: index.names().flatMap((name) => (index.page(name)?.files ?? []).map(({ digest }) => digest)),
    disks: members.map(({ disk }) => disk.blobs.blobs.keys()),
  }),
  isDialable: (node) => inboundOf(node) === 'open',
  isByzantine,
});
dialled = () => measures.dials.observe(time());
/** Since the last line of progress: of hours and hundreds of nodes they would not fit into memory. */
let events: string[] = [];
const written = openSync(join(folder, eventsFile), 'w');
watch = (at, event) => {
  measures.observe(at, event);
  // Each packet only where somebody looks closely: there are millions.
  if (job.replay || event.kind !== 'packet-cut') events.push(`${eventLine(at, event)}\n`);
};

const whole = warmup + scenario.duration;
const end = job.until === undefined ? whole : Math.min(whole, warmup + job.until);
try {
  for (let at = 0; at < end;) {
    at = Math.min(end, at + SLICE);
    await kernel.run(at);
    // Virtual time stands still, and the write is done when it returns.
    appendFileSync(written, events.join(''));
    events = [];
    say({ event: 'progress', at, end, events: kernel.counts.events });
  }
} catch (error) {
  say({ event: 'failed', message: describe(error), at: kernel.now });
  process.exit(1);
}
const command = `fondue sim run scenario.yaml --seed ${job.seed} --run ${job.run}`;
const { decision, ...measured } = measures.finish(end);
const { counts } = kernel;
const dialable = hosts.filter(({ profile }) => scenario.hosts.get(profile)?.inbound === 'open').length;
const nodeSeconds = (hosts.length * end) / 1e6;
const outcome: RunOutcome = {
  result: {
    name: scenario.name,
    seed: job.seed,
    run: job.run,
    point: job.point,
    settings: job.settings,
    scenario: job.scenario,
    duration: end - warmup,
    variant: dialable === hosts.length ? 'all hosts open' : undefined,
    ...measured,
    verdict: decision.verdict,
    findings: decision.findings.map((one) => explain(one, promises.violations)),
    honesty: [
      'fixed-rule TCP; no shared bottleneck beyond access links',
      `${dialable} of ${hosts.length} nodes can be dialled`,
      `${(counts.events / nodeSeconds).toFixed(1)} events a node-second; CPU costs: ${scenario.cpu}; connections: ${scenario.security}`,
    ],
    replay: command,
    trace: trace.digest(),
  },
  violations: promises.violations,
};
writeFileSync(join(folder, outcomeFile), JSON.stringify(outcome));
const { user, system } = process.cpuUsage();
say({ event: 'done', cpu: (user + system) / 1e6 });
process.exit(0);

/** A broken promise: when, where, what, and how to see it again. */
function explain(finding: Finding, violations: readonly Violation[]): Finding {
  const first = violations.find(({ invariant }) => finding.what === `never ${invariant}`);
  if (first === undefined) return finding;
  const seconds = (first.at - warmup) / 1e6;
  const again = `fondue sim replay THIS-FOLDER --until ${Math.max(0, Math.ceil(seconds))}`;
  const why = `${finding.why}; first ${seconds} s after the warm-up at node ${first.node}: ${first.what}; seed ${job.seed}, run ${job.run}; again: ${again}`;
  return { ...finding, why };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
