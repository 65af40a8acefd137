import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/fondue.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'fondue-sim-cli-'));
after(() => rm(folder, { recursive: true, force: true }));

function fondue(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'sim', ...args], { cwd: folder }, (error, out, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, errors });
    });
  });
}

async function scenario(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return `./${name}`;
}

const tiny = `
name: tiny
nodes: { count: 2, profiles: { server: 1 } }
warmup: 30s
duration: 5s
workload: { publishers: 0, pip: none, upstream: { projects: 1 } }
`;

test('list names every built-in scenario with its question', async () => {
  const { code, out } = await fondue('list', '--json');
  assert.equal(code, 0);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; question: string });
  assert.equal(lines.length, 9);
  assert.ok(lines.every(({ question }) => question.includes('?')));
});

test('validate finds nothing wrong with what is right, and every problem with its line and the nearest key', async () => {
  const good = await fondue('validate', 'demo', await scenario('good.yaml', tiny));
  assert.equal(good.code, 0);
  assert.match(good.out, /good\.yaml: tiny: nodes 2/);
  const bad = await fondue('validate', await scenario('bad.yaml', `${tiny}nodez: 3\nnetwork: { los: 1% }\n`));
  assert.equal(bad.code, 2);
  assert.match(bad.errors, /bad\.yaml:7:\d+: .*nodez.*nodes/);
  assert.match(bad.errors, /bad\.yaml:8:\d+: .*los.*loss/);
});

test('wrong usage is exit code 2 and says what to write', async () => {
  const cases: [string[], RegExp][] = [
    [['run', 'dmo'], /did you mean demo/],
    [['run', './none.yaml'], /none\.yaml cannot be read/],
    [['run', 'demo', '--seed', '1.5'], /whole number/],
    [['replay', '.'], /no folder of a run/],
    [['rum'], /unknown command/],
    [[], /Usage/],
  ];
  for (const [args, message] of cases) {
    const { code, errors } = await fondue(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(errors, message);
  }
});

test('a run is replayed the same, a folder is never written over, and an assert that fails is exit code 1', async () => {
  const file = await scenario('tiny.yaml', tiny);
  const ran = await fondue('run', file, '--seed', '5', '--out', 'A', '--json');
  assert.equal(ran.code, 0, ran.errors);
  const { seed, out, trace, verdict } = JSON.parse(ran.out) as Record<string, unknown>;
  assert.deepEqual([seed, out, verdict], [5, 'A', 'pass']);
  assert.equal(await readFile(join(folder, 'A/trace.sha256'), 'utf8'), `${String(trace)}\n`);

  const again = await fondue('run', file, '--out', 'A');
  assert.equal(again.code, 2);
  assert.match(again.errors, /A is there already/);

  const replayed = await fondue('replay', 'A', '--json');
  assert.equal(replayed.code, 0, replayed.errors);
  assert.equal((JSON.parse(replayed.out) as { same: boolean }).same, true);
  const events = zstdDecompressSync(await readFile(join(folder, 'A-replay/events.jsonl.zst'))).toString();
  assert.ok(events.includes('"kind":"node-up"'));

  const compared = await fondue('compare', 'A', 'A-replay', '--json');
  assert.equal(compared.code, 0, compared.errors);
  assert.equal((JSON.parse(compared.out) as { pairs: number }).pairs, 1);
  await rm(join(folder, 'A/report.html'));
  assert.equal((await fondue('plot', 'A')).code, 0);
  assert.match(await readFile(join(folder, 'A/report.html'), 'utf8'), /tiny/);

  // A fault that cuts nothing: nobody asks the upstream.
  const idle = `${tiny}faults: [{ id: down, at: 1s, for: 1s, upstream: down }]\n`;
  const failed = await fondue('run', await scenario('idle.yaml', idle), '--out', 'B');
  assert.equal(failed.code, 1);
  assert.match(failed.out, /FAILS: fault down \(no effect/);
  assert.ok((await readdir(folder)).every((name) => !name.includes('unfinished')));
});
