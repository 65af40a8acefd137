/** A sweep whose process is killed leaves whole runs and no others, and the same command goes on with what is missing. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';

const program = fileURLToPath(new URL('../../../bin/fondue.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'fondue-sim-kill-'));
after(() => rm(folder, { recursive: true, force: true }));

await writeFile(
  join(folder, 'three.yaml'),
  `
name: three
nodes: { count: 2, profiles: { server: 1 } }
warmup: 1s
duration: 15s
workload: { publishers: 0, pip: none, upstream: { projects: 1 } }
sweep: { /network/loss: [0%, 1%, 2%] }
`,
);

interface Line {
  readonly event: 'run' | 'sweep';
  readonly name?: string;
  readonly kept?: boolean;
}

function sweep(out: string): ChildProcess {
  const args = [
    program,
    'sim',
    'sweep',
    './three.yaml',
    '--runs',
    '1',
    '--jobs',
    '1',
    '--out',
    out,
    '--json',
  ];
  return spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
}

async function* linesOf(child: ChildProcess): AsyncGenerator<Line> {
  for await (const line of createInterface({ input: child.stdout as Readable }))
    yield JSON.parse(line) as Line;
}

async function whole(out: string): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of linesOf(sweep(out))) lines.push(line);
  return lines.filter(({ event }) => event === 'run');
}

const runsOf = ['point-000/run-000', 'point-001/run-000', 'point-002/run-000'];
const traceOf = (out: string, run: string): Promise<string> =>
  readFile(join(folder, out, run, 'trace.sha256'), 'utf8');
const unfinished = async (out: string): Promise<string[]> =>
  (await readdir(join(folder, out), { recursive: true })).filter((path) => path.endsWith('.unfinished'));

test(
  'a sweep that is killed keeps the runs that were done, and called again it makes only the others, the same as without the kill',
  { skip: process.platform !== 'linux' && 'finds the processes of runs in /proc' },
  async () => {
    const killed = sweep('killed');
    const ended = once(killed, 'exit');
    for await (const { event } of linesOf(killed)) if (event === 'run') break;
    // The next run has begun.
    const child = await eventually('a second run in a process of its own', async () => {
      if ((await unfinished('killed')).length === 0) return undefined;
      const text = await readFile(`/proc/${killed.pid}/task/${killed.pid}/children`, 'utf8');
      return Number(text.trim().split(' ')[0]);
    });
    killed.kill('SIGKILL');
    await ended;
    assert.equal((await unfinished('killed')).length, 1);
    // Nobody would read what it finds out.
    await eventually('the end of the run without its parent', () => !existsSync(`/proc/${child}`));

    const [first = ''] = runsOf;
    const before = (await stat(join(folder, 'killed', first))).mtimeMs;
    const again = await whole('killed');
    assert.deepEqual(
      again.map(({ name, kept }) => [name, kept]),
      runsOf.map((name, i) => [name, i === 0]),
    );
    assert.equal((await stat(join(folder, 'killed', first))).mtimeMs, before);
    assert.deepEqual(await unfinished('killed'), []);

    await whole('whole');
    for (const run of runsOf) {
      assert.equal(await traceOf('killed', run), await traceOf('whole', run), run);
    }
  },
);
