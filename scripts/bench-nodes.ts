/**
 * Transfer between two real nodes (`fondue up`, whole: gateway, flight, network's thread, store), asked over HTTP for the last
 * byte of each file, which is answered when the hash of the whole fits. Small files are let out at the hash, before they are in
 * their files: the time ends when the second node holds them all, synced.
 */
import { randomBytes, createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type FakeFile, fileFromDisk } from '../test/support/fake-pypi/wheel.ts';
import { startFakePypi } from '../test/support/fake-pypi/fake-pypi.ts';
import { type NodeProcess, startNode } from '../test/support/node-process.ts';

export interface NodePair extends AsyncDisposable {
  /** Milliseconds for one big file that the second node has not, and for many small ones. */
  big(round: number): Promise<number>;
  small(round: number): Promise<number>;
}

export interface NodePairOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly bigBytes: number;
  readonly smallFiles: number;
  readonly smallBytes: number;
  readonly inFlight: number;
}

/** The first node holds everything; the upstream's file host is down when the second begins. */
export async function startNodePair(options: NodePairOptions): Promise<NodePair> {
  const { folder, inFlight } = options;
  await using stack = new AsyncDisposableStack();
  const agent = stack.adopt(new Agent({ keepAlive: true, maxSockets: inFlight }), (open) => open.destroy());
  const sets = await makeSets(options);
  const pypi = stack.use(await startFakePypi({ files: sets.flatMap(({ big, small }) => [big, ...small]) }));
  const start = async (name: string, more: readonly string[]): Promise<NodeProcess> => {
    const node = await startNode({
      upstream: pypi.url,
      dataDir: join(folder, name),
      args: ['--no-mdns', '--page-ttl', '1d', ...more],
    });
    stack.use(node);
    for (const round of sets.keys()) await get(agent, `${node.index}bench-${round}/`);
    return node;
  };
  const fetchAll = async (node: NodeProcess, files: readonly FakeFile[]): Promise<void> => {
    const queue = files.values();
    const work = async (): Promise<void> => {
      for (const file of queue) await fetched(agent, node, file);
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  };
  const first = await start('first', []);
  for (const { big, small } of sets) await fetchAll(first, [big, ...small]);
  await pypi.files.down();
  const second = await start('second', ['--bootstrap', first.ready.multiaddrs[0] ?? '']);
  const timed = async (files: readonly FakeFile[]): Promise<number> => {
    const held = (await second.status()).store.blobs + files.length;
    const began = performance.now();
    await fetchAll(second, files);
    while ((await second.status()).store.blobs < held) await setTimeout(5);
    return performance.now() - began;
  };
  const set = (round: number) => {
    const found = sets[round];
    if (found === undefined) throw new Error(`there is no round ${round}`);
    return found;
  };
  const opened = stack.move();
  return {
    big: (round) => timed([set(round).big]),
    small: (round) => timed(set(round).small),
    async [Symbol.asyncDispose]() {
      await opened.disposeAsync();
    },
  };
}

/** Every round has files of its own: a node fetches nothing twice. */
async function makeSets(options: NodePairOptions): Promise<{ big: FakeFile; small: FakeFile[] }[]> {
  const root = join(options.folder, 'upstream');
  await mkdir(root);
  const make = async (filename: string, bytes: number): Promise<FakeFile> => {
    const content = randomBytes(bytes);
    await writeFile(join(root, filename), content);
    return fileFromDisk(join(root, filename), { sha256: createHash('sha256').update(content).digest('hex') });
  };
  const sets = [];
  for (let round = 0; round < options.rounds; round++) {
    const big = await make(`bench-${round}-0.0.tar.gz`, options.bigBytes);
    const small: FakeFile[] = [];
    for (let at = 1; at <= options.smallFiles; at++) {
      small.push(await make(`bench-${round}-0.${at}.tar.gz`, options.smallBytes));
    }
    sets.push({ big, small });
  }
  return sets;
}

/** Until the whole file is verified: its last byte leaves no earlier. */
async function fetched(agent: Agent, node: NodeProcess, file: FakeFile): Promise<void> {
  const url = `${node.ready.gateway}/files/${file.sha256}/${file.filename}`;
  await get(agent, url, { range: `bytes=${file.size - 1}-${file.size - 1}` });
}

function get(agent: Agent, url: string, headers: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, (response) => {
      let text = '';
      const { statusCode = 0 } = response;
      const good = statusCode === 200 || statusCode === 206;
      response.on('data', (bytes: Buffer) => (text += good ? '' : bytes.toString()));
      response.on('error', reject);
      response.on('end', () => {
        if (good) resolve();
        else reject(new Error(`${url} answers ${statusCode}: ${text.slice(0, 500)}`));
      });
    })
      .on('error', reject)
      .end();
  });
}
