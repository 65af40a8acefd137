/** `npm run sim:validate` at its smallest: four real nodes, cut and healed once, beside the simulated ones. Claims nothing of figures. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { starNetworkMissing } from '../../../scripts/sim-validate/star-network.ts';
import type { Validation, SideResult } from '../../../scripts/sim-validate/validation-report.ts';

const program = fileURLToPath(new URL('../../../scripts/sim-validate.ts', import.meta.url));
const scenario = `
name: smoke
warmup: 35s
duration: 75s
nodes: { count: 4, regions: { lan: 1 }, profiles: { server: 1 }, bootstraps: { count: 1, among: ['node:3'] } }
network: { latency: 50us, jitter: 0%, loss: 0% }
replication: 0
policy: { threshold: 1 }
workload:
  publishers: { count: 2, among: ['node:0', 'node:2'] }
  snapshots: { every: 5s }
  new_files: { every: 3s }
  pip: { rate: 1/s }
  upstream: { projects: 5, file_size: 20kB }
faults:
  - { id: split, at: 1s, for: 8s, partition: ['node:0-1', 'node:2-3'], bridge: 'role:upstream' }
`;

test(
  'real nodes and simulated ones reconverge after the same cut',
  { skip: starNetworkMissing(), timeout: 280_000 },
  async (t) => {
    const out = await mkdtemp(join(tmpdir(), 'fondue-sim-validate-'));
    t.after(() => rm(out, { recursive: true, force: true }));
    await writeFile(join(out, 'smoke.yaml'), scenario);
    const child = spawn(
      process.execPath,
      [program, '--runs', '1', '--scenario', join(out, 'smoke.yaml'), '--out', join(out, 'results')],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => (said += text.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, said);
    t.diagnostic(said.trim());

    const text = await readFile(join(out, 'results', 'validation.json'), 'utf8');
    const { verdict, real, simulated } = JSON.parse(text) as Validation &
      Record<'real' | 'simulated', SideResult[]>;
    assert.equal(verdict, 'too few runs', 'one run claims nothing');
    for (const [side, [run]] of Object.entries({ real, simulated })) {
      const times = run?.reconverge ?? [];
      assert.equal(times.length, 4, side);
      assert.ok(
        times.every((time) => time !== null),
        `${side}: ${times.join()}`,
      );
      assert.ok(Math.max(...(times as number[])) > 0, `${side}: the cut kept records from somebody`);
      // Records of the other side cannot come in the cut, those of one's own do.
      assert.ok((run?.delivery ?? 0) > 0.3 && (run?.delivery ?? 1) < 1, `${side}: delivery ${run?.delivery}`);
    }
    const left = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
    assert.ok(!left.includes(`fondue-val-${child.pid}-`), left);
  },
);
