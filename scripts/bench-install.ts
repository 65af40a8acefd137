/**
 * pip and uv install the fixtures' largest set that goes together, with empty caches: cold through a fresh node beside straight
 * from the same upstream, warm through that node beside nginx with the same bytes. Everything is on a tmpfs. The upstream of
 * the rows with a goal answers at once, as none does in the world: there is one more cold row with an upstream 20 ms away.
 * One more tells what of it is the start of the process: half of the set, through a node that served the other half before.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fixturePath } from '../test/support/fixtures.ts';
import { parseFilename } from '../test/support/fake-pypi/wheel.ts';
import { type FakePypiProcess, spawnFakePypi } from '../test/support/fake-pypi/process.ts';
import { startNode } from '../test/support/node-process.ts';
import { type ClientProject, clientsMissing, createClientProject } from '../test/support/python-clients.ts';
import { type Nginx, startNginx } from './bench-nginx.ts';
import type { BenchOptions } from './bench-warm.ts';
import { type Goal, failedRow, rowOf } from './bench-row.ts';

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';
const COLD: Goal = { of: 'ratio', is: 'at most', value: 1.15 };
const WARM: Goal = { of: 'ratio', is: 'at most', value: 1.1 };
/** From a request to its first byte, ms: about what PyPI's CDN takes. */
const FAR = 20;

export async function benchInstall({ quick, folder, onRow }: BenchOptions): Promise<void> {
  const set = clientsMissing() === false ? installableSet() : [];
  for (const client of ['pip', 'uv'] as const) {
    // pip is slow: a minute would not do for all of them.
    const wanted = quick && client === 'pip' ? set.filter((_, at) => at % 4 === 0) : set;
    const packages = `install, ${client}, ${wanted.length} packages`;
    const coldFar = `cold ${packages}, upstream ${FAR} ms away`;
    const halves = [0, 1].map((half) => wanted.filter((_, at) => at % 2 === half));
    const [before = [], after = []] = halves;
    const coldAfter = `cold install, ${client}, ${after.length} packages, after ${before.length} others`;
    const names = [`cold ${packages}`, `warm ${packages}`, ...(quick ? [] : [coldFar, coldAfter])];
    const missing = clientsMissing();
    if (missing !== false) {
      for (const what of names) onRow(rowOf({ what, unit: 's', ours: [], missing }));
      continue;
    }
    try {
      await using stack = new AsyncDisposableStack();
      const own = join(folder, client);
      await mkdir(own);
      const project = stack.use(await createProject(own));
      const requirements = await Promise.all(
        Object.entries({ all: wanted, before, after }).map(async ([which, wheels]) => {
          const file = join(own, `${which}.txt`);
          await writeFile(file, wheels.map(({ project: name, version }) => `${name}==${version}\n`).join(''));
          return [which, file];
        }),
      );
      const files = Object.fromEntries(requirements) as Record<Part, string>;
      const upstream = stack.use(await spawnFakePypi(['--fixtures']));
      const far = stack.use(await spawnFakePypi(['--fixtures', '--latency', String(FAR)]));
      const nginx = stack.use((await startNginx(join(own, 'nginx'))) ?? new AsyncDisposableStack());
      const times = await rounds(quick, {
        folder: own,
        install: (index, part = 'all') => install(project, client, index, files[part]),
        upstream,
        far,
        nginx: 'url' in nginx ? nginx : undefined,
        names: wanted.map((wheel) => wheel.project),
      });
      const [cold = '', warm = ''] = names;
      onRow(
        rowOf({
          what: cold,
          unit: 's',
          ours: times.cold,
          theirs: times.straight,
          beside: 'straight',
          goal: COLD,
        }),
      );
      const beside =
        times.nginx.length > 0 ? { theirs: times.nginx, beside: 'nginx' } : { missing: 'nginx is missing' };
      onRow(rowOf({ what: warm, unit: 's', ours: times.warm, ...beside, goal: WARM }));
      const { coldFar: ours, straightFar: theirs } = times;
      if (quick) continue;
      onRow(rowOf({ what: coldFar, unit: 's', ours, theirs, beside: 'straight', goal: COLD }));
      onRow(
        rowOf({
          what: coldAfter,
          unit: 's',
          ours: times.coldAfter,
          theirs: times.straightAfter,
          beside: 'straight',
        }),
      );
    } catch (error) {
      for (const what of names) onRow(failedRow(what, error));
    }
  }
}

/** Of the set: `after` is asked of a node that has served `before`. */
type Part = 'all' | 'before' | 'after';

interface Ground {
  readonly folder: string;
  /** Seconds. */
  readonly install: (index: string, part?: Part) => Promise<number>;
  readonly upstream: FakePypiProcess;
  readonly far: FakePypiProcess;
  readonly nginx: Nginx | undefined;
  readonly names: readonly string[];
}

type Times = Record<
  'straight' | 'cold' | 'warm' | 'nginx' | 'straightFar' | 'coldFar' | 'straightAfter' | 'coldAfter',
  number[]
>;

/** The first of many rounds is not counted: it warms Python's files, the upstream and the disk's pages. */
async function rounds(quick: boolean, ground: Ground): Promise<Times> {
  const { folder, install, upstream, far, nginx, names } = ground;
  const times: Times = {
    straight: [],
    cold: [],
    warm: [],
    nginx: [],
    straightFar: [],
    coldFar: [],
    straightAfter: [],
    coldAfter: [],
  };
  for (let round = 0; round < (quick ? 1 : 6); round++) {
    const start = (kind: string, { url }: FakePypiProcess) =>
      startNode({
        upstream: url,
        dataDir: join(folder, `${kind}-${round}`),
        args: ['--no-mdns', '--page-ttl', '1d'],
      });
    const straightFar = await install(far.url);
    let coldFar: number | undefined;
    if (!quick) {
      await using node = await start('far', far);
      coldFar = await install(node.index);
    }
    let halves: { straight: number; cold: number } | undefined;
    if (!quick) {
      const straight = await install(upstream.url, 'after');
      await using node = await start('after', upstream);
      await install(node.index, 'before');
      halves = { straight, cold: await install(node.index, 'after') };
    }
    const straight = await install(upstream.url);
    await using node = await start('node', upstream);
    const cold = await install(node.index);
    if (nginx !== undefined && round === 0) await copyIndex(node.ready.gateway, names, nginx.root);
    const warm = await install(node.index);
    const fromNginx = nginx === undefined ? undefined : await install(`${nginx.url}/simple/`);
    if (round === 0 && !quick) continue;
    times.straight.push(straight);
    times.cold.push(cold);
    times.warm.push(warm);
    times.straightFar.push(straightFar);
    if (coldFar !== undefined) times.coldFar.push(coldFar);
    if (halves !== undefined) {
      times.straightAfter.push(halves.straight);
      times.coldAfter.push(halves.cold);
    }
    if (fromNginx !== undefined) times.nginx.push(fromNginx);
  }
  return times;
}

/** The newest wheel of each project for CPython 3.11 on x86-64 Linux. */
function installableSet(): { project: string; version: string }[] {
  const newest = new Map<string, { project: string; version: string }>();
  for (const filename of readdirSync(fixturePath('files'))) {
    if (!filename.endsWith('.whl')) continue;
    const wheel = parseFilename(filename);
    const other = newest.get(wheel.project);
    if (other === undefined || isNewer(wheel.version, other.version)) newest.set(wheel.project, wheel);
  }
  return [...newest.values()].sort((a, b) => (a.project < b.project ? -1 : 1));
}

/** Of releases without letters, which all of the fixtures are. */
function isNewer(one: string, other: string): boolean {
  const [ours, theirs] = [one, other].map((version) => version.split('.').map(Number));
  for (let at = 0; at < Math.max(ours?.length ?? 0, theirs?.length ?? 0); at++) {
    const difference = (ours?.[at] ?? 0) - (theirs?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The clients themselves stay where the tests have them; the project, its caches and environment go to `folder`. */
async function createProject(folder: string): Promise<ClientProject> {
  await using _clients = await createClientProject();
  const usual = tmpdir();
  process.env['TMPDIR'] = folder;
  try {
    return await createClientProject();
  } finally {
    process.env['TMPDIR'] = usual;
  }
}

/** Without byte code, as uv does it: compiling would hide most of what is measured. */
async function install(
  project: ClientProject,
  client: 'pip' | 'uv',
  index: string,
  requirements: string,
): Promise<number> {
  await project.forget();
  const python = join(project.folder, '.venv/bin/python');
  const args =
    client === 'pip'
      ? [
          '--python',
          python,
          'install',
          '--no-cache-dir',
          '--no-compile',
          '--no-deps',
          '-i',
          index,
          '-r',
          requirements,
        ]
      : ['pip', 'install', '--python', python, '--no-deps', '--index-url', index, '-r', requirements];
  const { exit, output, seconds } = await project.run(client, ...args);
  if (exit !== 0) throw new Error(`${client} failed with ${index}: ${output.slice(-2000)}`);
  return seconds;
}

/** Pages, files and metadata as the gateway answers them, so that nginx can give the same. */
async function copyIndex(gateway: string, names: readonly string[], root: string): Promise<void> {
  const save = async (path: string, bytes: Uint8Array): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), bytes);
  };
  for (const name of names) {
    const base = `${gateway}/simple/${name}/`;
    const page = await get(base, { accept: JSON_PAGE });
    await save(`simple/${name}/page.json`, page);
    await save(`simple/${name}/page.json.gz`, gzipSync(page));
    for (const { url } of (JSON.parse(page.toString()) as { files: { url: string }[] }).files) {
      const { pathname, href } = new URL(url, base);
      await save(pathname, await get(href, {}));
      if (pathname.endsWith('.whl')) await save(`${pathname}.metadata`, await get(`${href}.metadata`, {}));
    }
  }
}

async function get(url: string, headers: Record<string, string>): Promise<Buffer> {
  const response = await fetch(url, { headers });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
