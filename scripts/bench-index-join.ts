/**
 * The rows of a node that joins: one real `fondue publish` whose map has all of the real names and whose upstream is down,
 * and a real `fondue up --mode offline` with an empty folder that has nothing but its address and its key. Between them
 * stands a relay that counts bytes.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { callAdmin } from '../src/cli/admin-client.ts';
import type { BeliefReport, IndexReport } from '../src/mirror/administration.ts';
import { type NodeFile, readNodeFile } from '../src/node-file.ts';
import { fondue, type NodeProcess, startNode } from '../test/support/node-process.ts';
import { startPublisher } from '../test/support/publisher-process.ts';
import { ALL, indexEntries } from './bench-index-map.ts';
import type { Seeded } from './bench-index-seed.ts';
import { type Measured, type Row, rowOf } from './bench-row.ts';

const MB = 1_000_000;
/** Nobody listens there. */
export const UPSTREAM = 'http://127.0.0.1:9/simple/';
/** The newest of 2^10 records has a proof of 10 hashes. */
const RECORDS = 1024;
/** Until a node that did something rests again and has given back what it needed: src/system-memory.ts. */
const REST = 65_000;
const LOOK_UPS = 2000;

export async function benchIndexJoin(options: {
  quick: boolean;
  folder: string;
  onRow: (row: Row) => void;
}): Promise<void> {
  const { quick, folder } = options;
  const count = quick ? 50_000 : ALL;
  const rest = quick ? 2000 : REST;
  const row = (what: string, unit: string, ours: readonly number[], most?: number): void =>
    options.onRow(
      rowOf({ what, unit, ours, ...(most === undefined || quick ? {} : { goal: atMost(most) }) }),
    );
  await using stack = new AsyncDisposableStack();
  const [key, policy, seedDir] = [join(folder, 'key'), join(folder, 'policy'), join(folder, 'seed')];
  const verifierKey = await command('key', 'new', '--name', 'bench.example', '--out', key);
  await command('trust', 'add', verifierKey, '--policy', policy);
  await command('trust', 'threshold', '1', '--policy', policy);
  const seeded = await seed(seedDir, key, count);
  row('gossip for one record, of 1,024', 'bytes', [seeded.announcementBytes], 4096);

  // prettier-ignore
  const publisher = stack.use(
    startPublisher({ upstream: UPSTREAM, dataDir: seedDir, key, args: ['--policy', policy, '--no-mdns', '--interval', '1h'] }),
  );
  const { multiaddrs = [] } = await publisher.event('ready', ({ event }) => event === 'ready', 60_000);
  const relay = stack.use(await startRelay(multiaddrs[0] ?? ''));
  const start = async (name: string, ...args: string[]): Promise<NodeProcess> =>
    stack.use(
      await startNode({
        upstream: UPSTREAM,
        dataDir: join(folder, name),
        args: ['--mode', 'offline', '--no-mdns', '--bootstrap', relay.address, ...args],
      }),
    );

  const plain = await start('plain');
  await setTimeout(rest);
  const without = memory(plain, 'VmRSS');
  await plain.stop();

  const names = await namesOf(count);
  relay.bytes = 0;
  let node = await start('joined', '--policy', policy);
  let admin = await adminOf(node);
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  await until('a believed page', async () => {
    const shown = await callAdmin<BeliefReport>(admin, 'index-show', { project: names[0] });
    return shown.belief === 'page' ? shown : undefined;
  });
  row('join: ready line to a proved answer', 's', [since()], 5);
  await until('the whole map', () => everything(admin, seeded.names));
  row('join: ready line to all names', 's', [since()], 60);
  row('join: bytes moved', 'MB', [relay.bytes / MB]);
  row('join: node without an index, resident', 'MB', [without]);
  row('join: peak resident more, while joining', 'MB', [memory(node, 'VmHWM') - without]);
  await setTimeout(rest);
  row('join: resident more, at rest after', 'MB', [memory(node, 'VmRSS') - without], 100);

  row('running node: look-up over its socket', 'ms', await lookUps(admin, names, 'index-show'), 1);
  row('running node: the same with its proof', 'ms', await lookUps(admin, names, 'index-prove'));

  await node.stop();
  node = await start('joined', '--policy', policy);
  admin = await adminOf(node);
  row('running node: start to ready', 's', [node.readyAfter / 1000]);
  await until('the map after a restart', () => everything(admin, seeded.names));
  await setTimeout(rest);
  row('running node: resident more, restarted', 'MB', [memory(node, 'VmRSS') - without], 100);

  const before = memory(node, 'VmRSS');
  for (const { what, accept, coding } of FORMS) {
    resetPeak(node);
    const started = performance.now();
    const bytes = await until(what, () => listOf(node, accept, coding), 120_000);
    const took = (performance.now() - started) / 1000;
    row(`/simple/, ${what}: bytes`, 'MB', [bytes / MB]);
    row(`/simple/, ${what}: first time`, 's', [took]);
    row(
      `/simple/, ${what}: resident more, peak`,
      'MB',
      [Math.max(0.01, memory(node, 'VmHWM') - before)],
      100,
    );
    const again = performance.now();
    await listOf(node, accept, coding);
    row(`/simple/, ${what}: again`, 's', [(performance.now() - again) / 1000]);
  }
}

const JSON_LIST = 'application/vnd.pypi.simple.v1+json';
const HTML_LIST = 'text/html';
const FORMS = [
  { what: 'JSON', accept: JSON_LIST, coding: 'identity' },
  { what: 'HTML', accept: HTML_LIST, coding: 'identity' },
  { what: 'JSON, gzip', accept: JSON_LIST, coding: 'gzip' },
  { what: 'HTML, gzip', accept: HTML_LIST, coding: 'gzip' },
] as const;

export const atMost = (value: number): Measured['goal'] => ({ of: 'ours', is: 'at most', value });

export async function command(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await fondue(args);
  if (exit !== 0) throw new Error(`fondue ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

export async function seed(dataDir: string, key: string, count: number): Promise<Seeded> {
  const script = new URL('bench-index-seed.ts', import.meta.url).pathname;
  const args = [script, dataDir, key, UPSTREAM, String(count), String(RECORDS)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Seeded;
}

interface Relay extends AsyncDisposable {
  /** Both ways. */
  bytes: number;
  readonly address: string;
}

export async function startRelay(multiaddr: string): Promise<Relay> {
  const [, , host = '', , port = '', ...rest] = multiaddr.split('/');
  const server = createServer((incoming) => {
    const outgoing = connect(Number(port), host);
    for (const [from, to] of [[incoming, outgoing] as const, [outgoing, incoming] as const]) {
      from.on('data', (bytes: Buffer) => (relay.bytes += bytes.length));
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  const relay = {
    bytes: 0,
    address: ['', 'ip4', '127.0.0.1', 'tcp', own, ...rest].join('/'),
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
  return relay;
}

export async function adminOf({ ready }: NodeProcess): Promise<NodeFile> {
  const file = await readNodeFile(ready.dataDir);
  if (file === undefined) throw new Error('the node that is to be asked is gone');
  return file;
}

export async function everything(admin: NodeFile, names: number): Promise<true | undefined> {
  const { ready, voters } = await callAdmin<IndexReport>(admin, 'index-status', undefined);
  return ready && voters.every((voter) => voter.names === names) ? true : undefined;
}

export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  limit = 120_000,
): Promise<T> {
  const end = performance.now() + limit;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await setTimeout(50);
  }
  throw new Error(`${what}: not within ${limit / 1000} s`);
}

/** Of all its threads. */
export function memory({ child }: NodeProcess, key: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return (Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(text)?.[1] ?? NaN) * 1024) / MB;
}

/** The peak is that of what comes from here on. */
function resetPeak({ child }: NodeProcess): void {
  writeFileSync(`/proc/${child.pid}/clear_refs`, '5');
}

export async function namesOf(count: number): Promise<string[]> {
  const names: string[] = [];
  const step = Math.max(1, Math.floor(count / LOOK_UPS));
  let at = 0;
  for await (const { name } of indexEntries(count)) if (at++ % step === 0) names.push(name);
  return names;
}

async function lookUps(admin: NodeFile, names: readonly string[], action: string): Promise<number[]> {
  const took: number[] = [];
  for (const project of names) {
    const began = performance.now();
    await callAdmin(admin, action, { project });
    took.push(performance.now() - began);
  }
  return took;
}

/** Read to its end, kept nowhere; undefined while it is being made. */
function listOf(node: NodeProcess, accept: string, coding: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { accept, 'accept-encoding': coding };
    const asked = request(node.index, { headers, agent: false }, (response) => {
      let bytes = 0;
      const { statusCode = 0, headers: given } = response;
      const good = statusCode === 200 && (given['content-encoding'] ?? 'identity') === coding;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('error', reject);
      response.on('end', () => resolve(good ? bytes : undefined));
    });
    asked.on('error', reject).end();
  });
}
