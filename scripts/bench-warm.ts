/**
 * Warm pages and files: a real node's gateway beside nginx that serves the same bytes statically. Each server has one core,
 * the client the other.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fixturePage, fixturesMissing } from '../test/support/fixtures.ts';
import { type Host, startHost } from '../test/support/fake-pypi/host.ts';
import { startNode } from '../test/support/node-process.ts';
import { load, type Load } from './bench-load.ts';
import { pinProcess } from './bench-machine.ts';
import { type Nginx, startNginx } from './bench-nginx.ts';
import { failedRow, type Row, rowOf } from './bench-row.ts';

export interface BenchOptions {
  readonly quick: boolean;
  /** On a tmpfs where there is one. */
  readonly folder: string;
  readonly onRow: (row: Row) => void;
}

const SERVER = 0;
const CLIENT = 1;
const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';
const FILES = { '100 KB': 100_000, '100 MB': 100_000_000 } as const;

interface Target {
  readonly what: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly goal: number;
  /** Of files in bytes a second: of 100 MB too few end in time to be counted. */
  readonly unit: 'MB/s' | 'req/s';
}

export async function benchWarm(options: BenchOptions): Promise<void> {
  const { quick, folder, onRow } = options;
  await using upstream = await startUpstream(folder);
  await using node = await startNode({
    upstream: `${upstream.url}/simple/`,
    dataDir: join(folder, 'warm-node'),
    args: ['--no-mdns', '--page-ttl', '1d'],
  });
  const targets = await warmTargets(node.ready.gateway, upstream.files);
  pinProcess(node.ready.pid, SERVER);
  await using nginx = await startNginx(join(folder, 'warm-nginx'), SERVER);
  for (const [at, target] of targets.entries()) {
    try {
      onRow(await compare(node.ready.gateway, nginx, `copy-${at}`, target, quick ? 1 : 5, quick ? 1 : 2));
    } catch (error) {
      onRow(failedRow(target.what, error));
    }
  }
}

async function compare(
  gateway: string,
  nginx: Nginx | undefined,
  copy: string,
  target: Target,
  rounds: number,
  seconds: number,
): Promise<Row> {
  const url = gateway + target.path;
  if (nginx !== undefined) await copyTo(nginx.root, copy, url, target.headers);
  const options = { ...target, seconds, core: CLIENT };
  // Not counted: V8 compiles what is hot after some thousand requests.
  await load(url, { ...options, seconds: 1 });
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(amountOf(target, await load(url, options)));
    if (nginx !== undefined) theirs.push(amountOf(target, await load(`${nginx.url}/${copy}`, options)));
  }
  const { what, unit, goal } = target;
  const beside = nginx === undefined ? { missing: 'nginx is missing' } : { theirs, beside: 'nginx' };
  return rowOf({ what, unit, ours, ...beside, goal: { of: 'ratio', is: 'at least', value: goal } });
}

function amountOf(target: Target, { perSecond, bytesPerSecond, errors }: Load): number {
  if (errors > 0) throw new Error(`${target.path} was answered with errors`);
  return target.unit === 'MB/s' ? bytesPerSecond / 1e6 : perSecond;
}

/** The bytes as sent; what came as gzip stands beside a plain file, which gzip_static wants to see. */
async function copyTo(
  root: string,
  name: string,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { body, encoded } = await fetchAsSent(url, headers);
  await writeFile(join(root, name), body);
  if (encoded) await writeFile(join(root, `${name}.gz`), body);
}

/** Asks for all once, so that it is warm: pages of about 40 KB and 1.9 MB, files of 100 KB and 100 MB. */
async function warmTargets(
  gateway: string,
  files: readonly { digest: string; filename: string; size: string }[],
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const project of Object.keys(pages)) {
    const path = `/simple/${project}/`;
    const { body } = await fetchAsSent(gateway + path, { accept: JSON_PAGE });
    const size =
      body.length < 1e6 ? `${Math.round(body.length / 1e3)} KB` : `${(body.length / 1e6).toFixed(1)} MB`;
    for (const coding of ['gzip', 'identity']) {
      const headers = { accept: JSON_PAGE, 'accept-encoding': coding };
      const what = `warm page ${size}, ${coding === 'gzip' ? 'gzip' : 'plain'}, 32 connections`;
      targets.push({ what, path, headers, connections: 32, goal: 0.5, unit: 'req/s' });
    }
  }
  await fetchAsSent(`${gateway}/simple/bench-files/`, {});
  for (const { digest, filename, size } of files) {
    const path = `/files/${digest}/${filename}`;
    await fetchAsSent(gateway + path, {});
    for (const connections of [1, 8]) {
      const what = `warm file ${size}, ${connections} client${connections === 1 ? '' : 's'}`;
      const goal = size === '100 KB' ? 0.3 : 0.5;
      targets.push({ what, path, headers: {}, connections, goal, unit: 'MB/s' });
    }
  }
  return targets;
}

/** Real pages where the fixtures are, else made ones of the same size. */
const pages: Readonly<Record<string, () => Buffer>> = fixturesMissing()
  ? { 'small-page': () => madePage('small-page', 110), 'large-page': () => madePage('large-page', 5100) }
  : { flask: () => fixturePage('flask'), botocore: () => fixturePage('botocore') };

function madePage(name: string, count: number): Buffer {
  const files = Array.from({ length: count }, (_, n) => {
    const filename = `${name.replace('-', '_')}-1.${n}-py3-none-any.whl`;
    const sha256 = createHash('sha256').update(filename).digest('hex');
    return {
      filename,
      url: `/packages/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256.slice(4)}/${filename}`,
      hashes: { sha256 },
      'requires-python': '>=3.10',
      size: 1000 + n,
      'upload-time': '2026-01-01T00:00:00.000000Z',
      yanked: false,
    };
  });
  return pageOf(name, files);
}

function pageOf(name: string, files: readonly object[]): Buffer {
  return Buffer.from(JSON.stringify({ meta: { 'api-version': '1.1' }, name, versions: ['1.0'], files }));
}

interface BenchUpstream extends AsyncDisposable {
  readonly url: string;
  readonly files: readonly { readonly digest: string; readonly filename: string; readonly size: string }[];
}

async function startUpstream(folder: string): Promise<BenchUpstream> {
  const root = join(folder, 'warm-upstream');
  await mkdir(root);
  const files: { digest: string; filename: string; size: string; bytes: number }[] = [];
  for (const [size, bytes] of Object.entries(FILES)) {
    const filename = `bench-files-${files.length + 1}.0.tar.gz`;
    const content = randomBytes(bytes);
    await writeFile(join(root, filename), content);
    files.push({ digest: createHash('sha256').update(content).digest('hex'), filename, size, bytes });
  }
  const listed = files.map(({ filename, digest, bytes }) => ({
    filename,
    url: `/files/${filename}`,
    hashes: { sha256: digest },
    size: bytes,
  }));
  const bodies = new Map<string, Buffer>([
    ...Object.entries(pages).map(([name, page]) => [`/simple/${name}/`, page()] as const),
    ['/simple/bench-files/', pageOf('bench-files', listed)] as const,
  ]);
  const host: Host = await startHost((incoming, response) => {
    const path = incoming.url ?? '';
    const page = bodies.get(path);
    const file = files.find(({ filename }) => path === `/files/${filename}`);
    if (page !== undefined) response.writeHead(200, { 'content-type': JSON_PAGE }).end(page);
    else if (file === undefined) response.writeHead(404).end();
    else
      createReadStream(join(root, file.filename)).pipe(
        response.writeHead(200, { 'content-length': file.bytes }),
      );
  });
  return { url: host.url, files, [Symbol.asyncDispose]: () => host.down() };
}

async function fetchAsSent(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ body: Buffer; encoded: boolean }> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${url} answers ${response.statusCode}`));
        return resolve({
          body: Buffer.concat(chunks),
          encoded: response.headers['content-encoding'] === 'gzip',
        });
      });
    })
      .on('error', reject)
      .end();
  });
}
