/**
 * The real side: the built program, one process and one namespace a node, switched on, fed and cut by the same plan as the
 * simulated nodes. Watched from outside, by what each node logs. Nothing is left behind, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { addPublisher, setThreshold } from '../../src/core/log/edit-policy.ts';
import { EMPTY_POLICY, formatPolicy, parsePolicy } from '../../src/core/log/policy-file.ts';
import { openDataFolder } from '../../src/store/data-folder.ts';
import { UPSTREAM } from '../../src/simulator/scenario/scenario-host.ts';
import type { Scenario } from '../../src/simulator/scenario/scenario.ts';
import type { ClientJob, ClientLine } from './client-child.ts';
import type { TimedEvent } from './measure-side.ts';
import type { PlannedNode, RunPlan } from './run-plan.ts';
import type { SideRun } from './simulated-side.ts';
import { createStarNetwork, type StarHost } from './star-network.ts';
import { readToldFact } from './told-fact.ts';
import type { UpstreamJob } from './upstream-child.ts';

const launcher = fileURLToPath(new URL('../../bin/fondue.js', import.meta.url));
const child = (name: string): string => fileURLToPath(new URL(`./${name}-child.ts`, import.meta.url));

const UPSTREAM_ADDRESS = '20.255.255.7';
const UPSTREAM_PORT = 8080;
const GATEWAY_PORT = 8381;
const PEER_PORT = 8382;
/** What the simulator's upstream takes to answer (model/upstream-host.ts), besides the link. */
const UPSTREAM_LATENCY_MS = 25;
/** A page of the clock before the plan's 0, so that no timer of it is late. */
const AHEAD_MS = 500;
const TICKS = 100;

export interface RealRun extends SideRun {
  /** How much later than planned each node was up, and the link cut and healed; ms. */
  readonly late: { readonly up: readonly number[]; readonly cuts: readonly number[] };
  readonly packetsLost: number;
  readonly requests: readonly ClientLine[];
  /** CPU seconds a node, from the end of the warm-up to the end. */
  readonly cpuByNode: readonly number[];
  /** Share of this machine's CPU time, after the warm-up, that neither these processes nor idling took. */
  readonly machineElsewhere: number;
}

export async function runReal(scenario: Scenario, plan: RunPlan, signal: AbortSignal): Promise<RealRun> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'fondue-validate-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const { nodes } = plan;
  const network = stack.use(createStarNetwork([...nodes.map(({ address }) => address), UPSTREAM_ADDRESS]));
  const hostOf = (id: number): StarHost => network.hosts[id === UPSTREAM ? nodes.length : id] as StarHost;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const stop = (): void => failed.reject(signal.reason as Error);
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  stack.defer(() => signal.removeEventListener('abort', stop));
  const reading = new AbortController();
  stack.defer(() => reading.abort());

  const start = (
    what: string,
    command: readonly string[],
    heard: (line: Readonly<Record<string, unknown>>) => void,
    told: (line: string) => void = () => undefined,
  ): ChildProcess => {
    const [program = '', ...args] = command;
    const started = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let errors = '';
    createInterface({ input: started.stderr }).on('line', (line) => {
      errors = `${errors}${line}\n`.slice(-2000);
      told(line);
    });
    started.on('error', (error) => failed.reject(error));
    started.on('exit', (code, killed) => {
      if (!reading.signal.aborted)
        failed.reject(new Error(`${what} ended with ${killed ?? code} during the run: ${errors}`));
    });
    createInterface({ input: started.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as Record<string, unknown>;
      if (event['event'] === 'error') errors = `${line} ${errors}`;
      heard(event);
    });
    stack.defer(async () => {
      if (started.exitCode !== null || started.signalCode !== null) return;
      const gone = once(started, 'exit');
      started.kill('SIGKILL');
      await gone;
    });
    return started;
  };
  const helpers: ChildProcess[] = [];
  const helper = (
    what: string,
    command: readonly string[],
    more?: Parameters<typeof start>[2],
  ): Promise<unknown> => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    helpers.push(start(what, command, (line) => (line['event'] === 'ready' ? resolve(line) : more?.(line))));
    const up = Promise.race([promise, failed.promise]);
    // Whoever waits for it may not do so yet.
    up.catch(() => undefined);
    return up;
  };

  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const policy = await write('policy', policyOf(plan, scenario.policy.threshold));
  for (const { id, identity, signer } of nodes) {
    const own = join(folder, `node-${id}`);
    await (await openDataFolder(own))[Symbol.asyncDispose]();
    await mkdir(join(own, 'network'), { mode: 0o700 });
    await write(`node-${id}/network/identity.key`, identity);
    if (signer !== undefined) await write(`publisher-${id}.key`, `${signer.signerKey}\n`);
  }

  // Both children wait for the epoch; how long they take to get there is known only when they have.
  const epoch = Date.now() + 3000;
  const upstreamJob: UpstreamJob = {
    seed: plan.seed,
    run: plan.run,
    address: UPSTREAM_ADDRESS,
    port: UPSTREAM_PORT,
    latencyMs: UPSTREAM_LATENCY_MS,
    epoch,
    files: plan.files,
  };
  const gateways = nodes.map(({ id }) => `http://${hostOf(id).reachedAt}:${GATEWAY_PORT}`);
  const clientJob: ClientJob = { epoch, installs: plan.installs, gateways };
  const requests: ClientLine[] = [];
  await Promise.all([
    helper('the upstream', [
      ...hostOf(UPSTREAM).command,
      process.execPath,
      child('upstream'),
      await write('upstream.json', JSON.stringify(upstreamJob)),
    ]),
    helper(
      'the client',
      [process.execPath, child('client'), await write('client.json', JSON.stringify(clientJob))],
      (line) => requests.push(line as unknown as ClientLine),
    ),
  ]);
  if (Date.now() > epoch - AHEAD_MS)
    throw new Error('this machine is too busy: the upstream took over 2.5 s to start');

  const until = async (at: number): Promise<void> => {
    await Promise.race([
      pause(Math.max(0, epoch + at / 1000 - Date.now()), undefined, { signal: reading.signal }),
      failed.promise,
    ]);
  };
  const ownCpu = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6 + helpers.reduce((sum, { pid = 0 }) => sum + cpuOf(pid), 0);
  };
  const since = (): number => (Date.now() - epoch) * 1000;
  const events: TimedEvent[] = [];
  const up: number[] = [];
  const pids: number[] = [];
  const switchOn = async (node: PlannedNode): Promise<void> => {
    await until(node.startsAt);
    const { promise, resolve } = Promise.withResolvers<void>();
    const args = argumentsOf(node, plan, {
      folder,
      policy,
      host: hostOf(node.id),
      interval: scenario.workload.snapshots.every / 1e6,
    });
    const started = start(
      `node ${node.id}`,
      [...hostOf(node.id).command, process.execPath, launcher, ...args],
      (line) => {
        if (line['event'] !== 'ready') return;
        if (line['peerId'] !== node.peerId) failed.reject(new Error(`node ${node.id} has another identity`));
        resolve();
      },
      (line) => {
        const told = readToldFact(line);
        if (told === undefined) return;
        const { time, name, fact } = told;
        events.push({ at: (time - epoch) * 1000, event: { kind: 'fact', node: node.id, name, fact } });
      },
    );
    pids[node.id] = started.pid ?? 0;
    await Promise.race([promise, failed.promise]);
    const at = since();
    up[node.id] = (at - node.startsAt) / 1000;
    events.push({ at, event: { kind: 'node-up', node: node.id, incarnation: 0, peerId: node.peerId } });
  };
  const switched = Promise.all(nodes.map(switchOn));
  switched.catch((error: unknown) => failed.reject(error));
  await until(plan.warmup);
  const missing = nodes.filter(({ id }) => up[id] === undefined).map(({ id }) => id);
  if (missing.length > 0)
    throw new Error(
      `this machine is too busy: nodes ${missing.join(', ')} were not up at the end of the warm-up`,
    );
  const [cpuBefore, ownBefore, machineBefore] = [pids.map(cpuOf), ownCpu(), machineTimes()];
  const lateCuts: number[] = [];
  const heals: number[] = [];
  for (const { at, pairs } of plan.cuts) {
    await until(at);
    network.cut(pairs.map(([from, to]) => [indexOf(from, plan), indexOf(to, plan)]));
    const done = since();
    lateCuts.push((done - at) / 1000);
    if (plan.heals.includes(at)) heals.push(done);
  }
  await until(plan.end);
  const cpuByNode = pids.map((pid, id) => cpuOf(pid) - (cpuBefore[id] ?? 0));
  const [own, machine] = [ownCpu() - ownBefore, machineTimes()];
  const packetsLost = network.lost();
  reading.abort();
  if (packetsLost === 0) throw new Error('the cut cut no packet');
  if (heals.length < plan.heals.length) throw new Error('not all cuts were healed within the run');
  const cpuSeconds = cpuByNode.reduce((sum, value) => sum + value, 0);
  return {
    // Those after it tell of the end of others.
    events: events.filter(({ at }) => at <= plan.end).sort((a, b) => a.at - b.at),
    heals,
    cpuSeconds,
    late: { up, cuts: lateCuts },
    packetsLost,
    requests,
    cpuByNode,
    machineElsewhere: Math.max(
      0,
      (machine.busy - machineBefore.busy - cpuSeconds - own) / (machine.all - machineBefore.all),
    ),
  };
}

function indexOf(host: number, { nodes }: RunPlan): number {
  return host === UPSTREAM ? nodes.length : host;
}

function policyOf({ nodes }: RunPlan, threshold: number): Uint8Array {
  let file = parsePolicy(EMPTY_POLICY, 'policy');
  for (const { id, signer } of nodes)
    if (signer !== undefined)
      file = addPublisher(file, { verifierKey: signer.verifierKey, name: `node-${id}` });
  return formatPolicy(setThreshold(file, threshold));
}

/** The simulator's configuration (model/simulation.ts, nodes/simulated-world.ts) as flags of the program. */
function argumentsOf(
  node: PlannedNode,
  { nodes }: RunPlan,
  {
    folder,
    policy,
    host,
    interval,
  }: { readonly folder: string; readonly policy: string; readonly host: StarHost; readonly interval: number },
): string[] {
  // prettier-ignore
  return [
    ...(node.signer === undefined ? ['up'] : ['publish', '--key', join(folder, `publisher-${node.id}.key`), '--interval', `${interval}s`]),
    '--json', '--log-level', 'debug',
    '--data-dir', join(folder, `node-${node.id}`),
    '--gateway', `${host.reachedAt}:${GATEWAY_PORT}`,
    '--listen', `/ip4/${node.address}/tcp/${PEER_PORT}`,
    '--upstream', `http://${UPSTREAM_ADDRESS}:${UPSTREAM_PORT}/simple/`, '--no-private-upstream',
    '--share', 'all', '--ask', 'all', '--no-mdns', '--dht', 'server', '--mode', 'quorum', '--policy', policy,
    ...nodes
      .filter(({ id, isBootstrap }) => isBootstrap && id !== node.id)
      .flatMap(({ address, peerId }) => ['--bootstrap', `/ip4/${address}/tcp/${PEER_PORT}/p2p/${peerId}`]),
  ];
}

/** Seconds, user and system, all threads. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Seconds of all cores since they are up. */
function machineTimes(): { readonly busy: number; readonly all: number } {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).map(Number);
  const all = fields.slice(0, 8).reduce((sum, value) => sum + value, 0);
  return { busy: (all - (fields[3] ?? 0) - (fields[4] ?? 0)) / TICKS, all: all / TICKS };
}
