/** Runs one case of simulated nodes and prints what it saw: `CASE SEED SECURITY [TRACE FILE]`. A process of its own: the globals are replaced. */
import { openWorld } from '../../src/simulator/open-world.ts';
import type { LinkMode } from '../../src/simulator/scenario/links.ts';
import type { MemberOptions, SimulatedWorld } from '../../src/simulator/nodes/simulated-world.ts';

const [name = '', seed = '1', security = 'plaintext', traceFile] = process.argv.slice(2);
const lines: string[] = [];
const link: { mode: (from: number, to: number) => LinkMode } = { mode: () => 'up' };
const world: SimulatedWorld = await openWorld({
  seed: Number(seed),
  run: 0,
  security: security as 'noise' | 'plaintext',
  ...(name === 'young' ? { cpu: 'young', cores: 1 } : { cpu: 'reference' }),
  latency: {
    regions: ['eu', 'na'],
    oneWay: [
      [10, 45],
      [45, 10],
    ],
  },
  jitter: 0.05,
  loss: 0,
  links: { mode: (from, to) => link.mode(from, to) },
  onTrace: (line) => void lines.push(line),
});
const { FakeIndex } = await import('../mirror/publish/fake-index.ts');
const { parseProjectName } = await import('../../src/core/project-name.ts');
const { generateKeyPair, parseSignerKey } = await import('../../src/core/log/signer-key.ts');
const { createOfflineUpstream } = await import('../../src/upstream/offline-upstream.ts');
const { createHash } = await import('node:crypto');
const { writeFileSync } = await import('node:fs');
const { gunzipSync } = await import('node:zlib');
const { kernel } = world;
const bootstrap: string[] = [];
const seconds = (s: number): Promise<void> => kernel.run(s * 1e6);
const offline = () => createOfflineUpstream('https://pypi.org/simple/', { private: false });

async function add(
  flags: Record<string, unknown> = { mode: 'offline' },
  node: Partial<MemberOptions['node']> = {},
  inbound: MemberOptions['inbound'] = 'open',
): Promise<void> {
  const number = world.members.length;
  const member = await world.addMember({
    region: number % 2 === 0 ? 'eu' : 'na',
    inbound,
    uplink: 12.5e6,
    downlink: 12.5e6,
    flags: { bootstrap: [...bootstrap], dht: inbound === 'open' ? 'server' : 'auto', ...flags },
    node: { upstream: offline, policy: { k: 1, publishers: [] }, ...node },
  });
  if (number < 2) bootstrap.push(member.multiaddr);
  const start = (): void => void member.start().catch((error: Error) => kernel.fail(error));
  kernel.schedule(number * 300_000, 'start', kernel.world, start);
}

/** For each node how many of `others` it is connected to; -1 where it is down. */
function connections(others: (number: number, to: number) => boolean = () => true): number[] {
  return world.members.map((member) => {
    if (member.node === undefined) return -1;
    const peers = member.node.status().network.peers.map(({ peerId }) => peerId);
    return world.members.filter(
      (other) => others(member.number, other.number) && peers.includes(other.peerId),
    ).length;
  });
}

const cases: Record<string, () => Promise<Record<string, unknown>>> = {
  async quiet() {
    for (let i = 0; i < 6; i++) await add();
    await seconds(80);
    return { connections: connections(), live: kernel.pending };
  },

  async young() {
    for (let i = 0; i < 3; i++) await add();
    const up: number[] = [];
    for (let tenths = 1; tenths <= 50; tenths++) {
      await seconds(tenths / 10);
      for (const { number, node } of world.members) if (node !== undefined) up[number] ??= tenths / 10;
    }
    return { up };
  },

  async hour() {
    for (let i = 0; i < 4; i++) await add();
    await seconds(3600);
    return { pending: kernel.pending, live: kernel.live };
  },

  async 'behind filters'() {
    for (let i = 0; i < 6; i++)
      await add({ mode: 'offline' }, {}, i < 2 ? 'open' : i < 4 ? 'filtered' : 'nat');
    await seconds(100);
    return { open: connections((_, to) => to < 2), closed: connections((from, to) => from >= 2 && to >= 2) };
  },

  async split() {
    for (let i = 0; i < 8; i++) await add();
    await seconds(100);
    const crosses = (from: number, to: number): boolean => (from + to) % 2 === 1;
    const before = connections(crosses);
    link.mode = (from, to) => (crosses(from, to) ? 'blackhole' : 'up');
    await seconds(340);
    const during = connections(crosses);
    link.mode = () => 'up';
    await seconds(640);
    return { before, during, after: connections(crosses) };
  },

  async crash() {
    for (let i = 0; i < 5; i++) await add();
    await seconds(100);
    const before = connections();
    const at = (s: number, phase: 'crash' | 'start', what: () => void): void =>
      void kernel.schedule(s * 1e6 - kernel.now, phase, kernel.world, what);
    const member = world.members[3];
    if (member === undefined) throw new Error('no member 3');
    at(110, 'crash', () => member.crash());
    await seconds(150);
    const down = connections();
    const old = member.peerId;
    at(160, 'start', () => void member.start().catch((error: Error) => kernel.fail(error)));
    await seconds(400);
    const after = connections();
    let stopped = false;
    at(410, 'start', () => void member.stop().then(() => (stopped = true)));
    await seconds(450);
    return {
      before,
      down,
      after,
      same: old === member.node?.peerId || old === member.peerId,
      stopped,
      gone: connections(),
    };
  },

  async signed() {
    const { signerKey } = generateKeyPair('publisher.test/one', kernel.world.randomness);
    const signer = parseSignerKey(signerKey);
    const policy = { k: 1, publishers: [{ name: 'one', key: signer.key, url: undefined }] };
    const names = ['flask', 'numpy', 'requests'];
    await add(
      { upstream: 'https://pypi.org/simple/' },
      {
        policy,
        upstream(clock) {
          const index = new FakeIndex(clock as never);
          for (const one of names) index.change(one);
          return index.upstream();
        },
        publish: { signer, projects: undefined, interval: 60_000 },
      },
    );
    for (let i = 1; i < 6; i++)
      await add({ mode: 'quorum', upstream: 'https://pypi.org/simple/' }, { policy });
    await seconds(300);
    const answers: unknown[] = [];
    for (const { owner, node, number } of world.members.slice(1)) {
      if (owner === undefined || node === undefined) throw new Error(`node ${number} is not up`);
      void kernel
        .perform(owner, async () => {
          const answer = await node.mirror.project(parseProjectName('numpy'));
          return answer.kind === 'page' ? answer.served.page.files[0]?.filename : JSON.stringify(answer);
        })
        .then((answer) => answers.push(answer));
    }
    const { owner, node } = world.members[2] ?? {};
    let list = '';
    if (owner && node)
      void kernel
        .perform(owner, async () => {
          const answer = await node.mirror.projectList('json', { coding: 'gzip' });
          if (answer.kind !== 'list') return answer.reason;
          const parts: Uint8Array[] = [];
          for await (const part of answer.body) parts.push(part);
          return answer.coding === 'gzip' ? gunzipSync(Buffer.concat(parts)).toString() : answer.coding;
        })
        .then((text) => (list = text));
    await seconds(330);
    const { trees } = world.shared.totals();
    return {
      answers,
      list,
      trees,
      fetched: world.members.map(({ node }) => node?.status().fetched.blobs.peer),
    };
  },
};

const run = cases[name];
if (run === undefined) throw new Error(`no case ${name}`);
const seen: Record<string, unknown> = await run();
if (traceFile) writeFileSync(traceFile, lines.join('\n'));
const { trace } = world;
/** Times, ends and sizes, without what the bytes were. */
const outlines = lines.map((line) => line.replace(/(?<=^\d+ \d+ \d+ \d+ \d+ ).*/, '')).join('\n');
const outline = createHash('sha256').update(outlines).digest('hex');
process.stdout.write(
  `${JSON.stringify({ ...seen, trace: trace.digest(), outline, deliveries: trace.deliveries })}\n`,
);
process.exit(0);
