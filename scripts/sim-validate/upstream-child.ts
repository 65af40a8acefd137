/**
 * The fake PyPI with the files of a run, in the namespace that it is started in: `upstream-child JOB`. Files appear when the
 * plan says, with the simulator's bytes. Prints one line when it answers.
 */
import { readFileSync } from 'node:fs';
import { makeFileBytes } from '../../src/simulator/model/file-bytes.ts';
import { startFakePypi } from '../../test/support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeFile } from '../../test/support/fake-pypi/wheel.ts';
import type { PlannedFile } from './run-plan.ts';

export interface UpstreamJob {
  readonly seed: number;
  readonly run: number;
  readonly address: string;
  readonly port: number;
  readonly latencyMs: number;
  /** Wall clock of the plan's 0, ms. */
  readonly epoch: number;
  readonly files: readonly PlannedFile[];
}

const [path = ''] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, 'utf8')) as UpstreamJob;
const make = ({ filename, size }: PlannedFile): FakeFile =>
  makeFile(filename, Buffer.from(makeFileBytes(job, filename, size)), {
    uploadTime: '2026-01-01T00:00:00.000000Z',
  });
const pypi = await startFakePypi({
  files: job.files.filter(({ at }) => at === 0).map(make),
  address: job.address,
  port: job.port,
  filesPort: job.port + 1,
  latencyMs: job.latencyMs,
  changelog: true,
  coreMetadata: 'none',
});
for (const file of job.files.filter(({ at }) => at > 0)) {
  const made = make(file);
  setTimeout(() => pypi.addFile(made), Math.max(0, job.epoch + file.at / 1000 - Date.now()));
}
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ event: 'ready', url: pypi.url }));
