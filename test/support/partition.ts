/**
 * Two groups of real nodes, cut apart and joined again: what one side stored meanwhile the other must find and fetch, with
 * the upstream's file host down, the only bootstrap dead and nothing announced (`--share lan`), so that nothing but the
 * re-seed loop can bring them together: the look-ups of announcing do it too, by chance, and did when the loop was deleted.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { download, fileUrl } from './download.ts';
import { eventually } from './eventually.ts';
import { startFakePypi } from './fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from './fake-pypi/wheel.ts';
import { createSegments, type Segment, setTcpRetries } from './namespaces.ts';
import { type NodeProcess, startNode } from './node-process.ts';

const HEAL_TIME = 120_000;

export interface PartitionOptions {
  /** Nodes on each side, besides the bootstrap that dies. */
  readonly side: number;
  /** Seconds. */
  readonly cut: number;
  /**
   * How often the kernel repeats an unanswered packet. A cut of ten minutes ends every connection by itself; a short one
   * would be slept through, so there the kernel must give up sooner than its 13 to 30 minutes and our own 130 s.
   */
  readonly tcpRetries?: number;
}

interface Member {
  readonly node: NodeProcess;
  readonly side: Segment;
}

export async function partition(t: TestContext, { side, cut, tcpRetries }: PartitionOptions): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const segments = stack.use(createSegments());
  const earlier = Array.from({ length: 2 * side }, (_, i) => file(`earlier-${i}`, 100_000));
  // Below 1 MiB and above: small ones are asked of connected peers only while the index answers.
  const stored: Record<Segment, FakeFile[]> = {
    west: [file('west-small', 100_000), file('west-big', 3_000_000)],
    east: [file('east-small', 100_000), file('east-big', 3_000_000)],
  };
  const files = [...earlier, ...stored.west, ...stored.east];
  const pypi = stack.use(await startFakePypi({ files, address: segments.address }));

  const start = async (segment: Segment, bootstrap: readonly string[]): Promise<Member> => {
    const host = segments.host(segment);
    if (tcpRetries !== undefined) setTcpRetries(host, tcpRetries);
    const at = {
      command: host.command,
      gateway: `${host.reachedAt}:0`,
      listen: `/ip4/${host.address}/tcp/0`,
    };
    const node = await startNode({
      upstream: pypi.url,
      at,
      args: ['--no-mdns', '--page-ttl', '1d', '--share', 'lan', ...bootstrap],
    });
    return { node: stack.use(node), side: segment };
  };
  const { node: seed } = await start('west', []);
  const bootstrap = ['--bootstrap', seed.ready.multiaddrs[0] ?? ''];
  const members: Member[] = [];
  for (let i = 0; i < side; i++) {
    members.push(await start('west', bootstrap), await start('east', bootstrap));
  }
  await eventually('everyone meets everyone', () => meet(members), 180_000);
  await Promise.all(members.map(({ node }, i) => fetchNow(node, earlier[i]!)));
  await pypi.files.down();
  // Verified blobs are what makes peers remember each other.
  for (const { node } of members) await Promise.all(earlier.map((one) => fetchWithin(node, one, 60_000)));
  await seed.stop('SIGKILL');

  segments.cut();
  const healAt = performance.now() + cut * 1000;
  t.diagnostic(`cut for ${cut} s`);
  await pypi.files.up();
  for (const segment of ['west', 'east'] as const) {
    const first = members.find((member) => member.side === segment);
    for (const one of stored[segment]) await fetchNow(first!.node, one);
  }
  await pypi.files.down();
  const across = (member: Member): FakeFile[] => stored[member.side === 'west' ? 'east' : 'west'];
  const asked = await Promise.all(members.map((member) => fileStatus(member.node, across(member)[0]!)));
  assert.deepEqual(new Set(asked), new Set([503]), 'neither side nor the upstream has it');
  await eventually(
    'no connection is left between the sides',
    () => apart(members),
    Math.max(healAt - performance.now(), 1),
  );
  t.diagnostic(`apart with ${Math.round((healAt - performance.now()) / 1000)} s of the cut left`);
  await delay(Math.max(healAt - performance.now(), 0));
  assert.ok(await apart(members), 'the cut holds');
  const before = await Promise.all(members.map(({ node }) => node.status()));

  segments.heal();
  const healed = performance.now();
  const left = (): number => HEAL_TIME - (performance.now() - healed);
  // Nobody asks for anything meanwhile: a question is a look-up in the DHT, and that can join the halves by chance.
  await eventually('everyone knows somebody of the other side', () => joined(members), left());
  t.diagnostic(`joined ${seconds(healed)} s after the heal`);
  const took = await Promise.all(
    members.map(async (member) => {
      for (const one of across(member)) await fetchWithin(member.node, one, left());
      return seconds(healed);
    }),
  );
  t.diagnostic(`each had the other side's files ${took.join(', ')} s after the heal`);
  for (const [i, { node }] of members.entries()) {
    const { fetched } = await node.status();
    assert.equal(fetched.bytes.upstream, before[i]?.fetched.bytes.upstream, 'nothing came from the upstream');
  }
}

function file(name: string, extraBytes: number): FakeFile {
  return makeWheel({ name, extraBytes });
}

async function peersOf({ node }: Member): Promise<Set<string>> {
  const { network } = await node.status();
  return new Set(network.peers.map(({ peerId }) => peerId));
}

async function meet(members: readonly Member[]): Promise<boolean> {
  for (const member of members) {
    const peers = await peersOf(member);
    if (members.some((other) => other !== member && !peers.has(other.node.ready.peerId))) return false;
  }
  return true;
}

async function apart(members: readonly Member[]): Promise<boolean> {
  for (const member of members) {
    const peers = await peersOf(member);
    if (members.some((other) => other.side !== member.side && peers.has(other.node.ready.peerId)))
      return false;
  }
  return true;
}

async function joined(members: readonly Member[]): Promise<boolean> {
  for (const member of members) {
    const peers = await peersOf(member);
    const others = members.filter(({ side }) => side !== member.side);
    if (!others.some((other) => peers.has(other.node.ready.peerId))) return false;
  }
  return true;
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1000);
}

async function fileStatus(node: NodeProcess, one: FakeFile): Promise<number> {
  const answer = await download(fileUrl(node.ready.gateway, one)).catch(() => undefined);
  if (answer?.status === 200 && answer.complete) assert.equal(answer.sha256, one.sha256);
  return answer?.complete === true ? answer.status : 0;
}

async function fetchNow(node: NodeProcess, one: FakeFile): Promise<void> {
  assert.equal(await fileStatus(node, one), 200, `${one.filename}: ${node.stderr()}`);
}

async function fetchWithin(node: NodeProcess, one: FakeFile, ms: number): Promise<void> {
  const what = `${one.filename} at ${node.ready.multiaddrs[0]}`;
  await eventually(what, async () => (await fileStatus(node, one)) === 200, Math.max(ms, 1));
}
