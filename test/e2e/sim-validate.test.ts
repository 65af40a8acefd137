/** `npm run sim:validate` cleans up; what it measures is in `test/slow/simulator`. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { starNetworkMissing } from '../../scripts/sim-validate/star-network.ts';

const program = fileURLToPath(new URL('../../scripts/sim-validate.ts', import.meta.url));
test(
  'a run that is ended leaves no namespace, no process and no folder',
  { skip: starNetworkMissing(), timeout: 60_000 },
  async (t) => {
    const out = await mkdtemp(join(tmpdir(), 'fondue-sim-validate-'));
    t.after(() => rm(out, { recursive: true, force: true }));
    const child = spawn(process.execPath, [program, '--runs', '1', '--only', 'real', '--out', out], {
      stdio: 'pipe',
      env: { ...process.env, TMPDIR: out },
    });
    const own = (): string[] =>
      execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
        .split('\n')
        .map((line) => line.split(' ')[0] ?? '')
        .filter((name) => name.startsWith(`fondue-val-${child.pid}-`));
    // The last of its namespaces: by then the upstream is about to be started in it.
    while (!own().some((name) => name.endsWith('-12')) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null];
    assert.notEqual(code, 0);
    assert.deepEqual(own(), []);
    assert.deepEqual(await readdir(out), ['of.txt']);
  },
);
